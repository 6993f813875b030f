-- Logical replication: these two have several partial keys and no primary key.
-- Without an identity for their rows a publication FOR ALL TABLES would make
-- every recomputation of an epoch fail, because it deletes what was there.
ALTER TABLE epoch_mark REPLICA IDENTITY FULL;
ALTER TABLE epoch_first REPLICA IDENTITY FULL;
