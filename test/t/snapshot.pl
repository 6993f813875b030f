# region_of answers for what a statement sees, though it keeps regions from call to call: beside many subtransactions of others,
# whose snapshots list no more of them, and after a subtransaction that is undone, of which the snapshot says nothing.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Operate;

my $node = new_cluster('snapshot', "max_prepared_transactions = 5\n");
$node->safe_psql('postgres', q{
	SET client_min_messages = warning;
	INSERT INTO swarm_reward.region (code, name, boundary) VALUES ('wide', 'wide', 'MULTIPOLYGON(((0 40,20 40,20 55,0 55,0 40)))');
	CREATE TABLE mark (n int);
	CREATE FUNCTION undone(times int) RETURNS text[] LANGUAGE plpgsql SET search_path = swarm_reward, public AS $$
	DECLARE
		seen text[];
	BEGIN
		FOR i IN 1 .. times LOOP
			BEGIN
				IF i = 2 THEN INSERT INTO region (code, name, boundary) VALUES ('small', 'small', 'MULTIPOLYGON(((9 49,11 49,11 51,9 51,9 49)))'); END IF;
				seen := seen || region_of('POINT(10 50)', now())::text;
				IF i = 2 THEN RAISE EXCEPTION 'undone'; END IF;
			EXCEPTION WHEN raise_exception THEN NULL;
			END;
		END LOOP;
		RETURN seen;
	END $$});

# A transaction with a few open subtransactions before one with more than a server keeps, whichever way it lists them.
for my $name (qw(few many few_more))
{
	my $count = $name eq 'many' ? 70 : 3;
	$node->safe_psql('postgres', "BEGIN;" . join('', map { "SAVEPOINT s$_; INSERT INTO mark VALUES ($_);" } 1 .. $count) . "PREPARE TRANSACTION '$name'");
}
$node->safe_psql('postgres', 'INSERT INTO mark VALUES (0)');
my ($code, $out, $err) = $node->psql('postgres', q{SELECT string_agg(swarm_reward.region_of(ST_MakePoint(10, 49 + n)::geography), ' ') FROM generate_series(1, 3) n});
is("$code $out $err", '0 wide wide wide ', 'beside a transaction with many subtransactions');
$node->safe_psql('postgres', "ROLLBACK PREPARED '$_'") for qw(few many few_more);

for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	is($node->safe_psql('postgres', "BEGIN ISOLATION LEVEL $level; SELECT undone(3)"), '{wide,small,wide}', "a region that is undone is gone, $level");
}
done_testing();
