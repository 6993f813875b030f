-- Hashes, addresses and Merkle trees that smart contracts verify.

CREATE FUNCTION keccak256(message bytea) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_keccak256' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION keccak256(bytea) IS
'Keccak-256 of a message, 32 bytes: the hash of Ethereum, which is not SHA3-256; NULL for NULL';

CREATE FUNCTION checksum_address(address text) RETURNS text
AS 'MODULE_PATHNAME', 'sr_checksum_address' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION checksum_address(text) IS
'the one canonical form of an address, 0x and 40 hexadecimal digits with the capital letters of EIP-55; NULL for NULL. Errors: anything else, and capital and small letters together whose checksum is wrong';

CREATE FUNCTION is_payout_address(address text) RETURNS boolean
AS 'MODULE_PATHNAME', 'sr_is_payout_address' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION is_payout_address(text) IS
'true for what checksum_address takes, except the zero address, which nobody has; never an error; NULL for NULL';

CREATE FUNCTION merkle_leaf(address text, amount numeric) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_merkle_leaf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 40;
COMMENT ON FUNCTION merkle_leaf(text, numeric) IS
'leaf of a payment in a Merkle tree: keccak256(keccak256(abi.encode(address, uint256 amount))), as OpenZeppelin''s StandardMerkleTree has it; NULL for NULL. Errors: an address as for checksum_address, an amount that is not a whole number from 0 to 2^256 - 1';

CREATE FUNCTION merkle_tree(leaves bytea[]) RETURNS bytea[]
AS 'MODULE_PATHNAME', 'sr_merkle_tree' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION merkle_tree(bytea[]) IS
'the nodes of the Merkle tree over leaves in any order, in the layout of OpenZeppelin''s StandardMerkleTree: 2n - 1 hashes, the root first, the children of element i being 2i and 2i + 1 (counted from 1), the leaves sorted by hash from the last element backwards, each other node the Keccak-256 of its two children, the smaller first; NULL for NULL. Errors: no leaf, a NULL leaf, one that has not 32 bytes, more nodes than an array of 1 GB holds';

CREATE FUNCTION merkle_root(leaves bytea[]) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_merkle_root' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION merkle_root(bytea[]) IS
'the root of merkle_tree(leaves); NULL for NULL. Errors: no leaf, a NULL leaf, one that has not 32 bytes';

CREATE FUNCTION merkle_proof(leaves bytea[], leaf bytea) RETURNS bytea[]
AS 'MODULE_PATHNAME', 'sr_merkle_proof' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION merkle_proof(bytea[], bytea) IS
'the proof that a leaf is one of the leaves: the hashes beside its way up merkle_tree(leaves), empty for the only leaf; NULL for NULL. Errors: as for merkle_tree, and a leaf that is not among the leaves';

CREATE FUNCTION merkle_verify(root bytea, leaf bytea, proof bytea[]) RETURNS boolean
AS 'MODULE_PATHNAME', 'sr_merkle_verify' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION merkle_verify(bytea, bytea, bytea[]) IS
'does the proof lead from the leaf to the root, as MerkleProof.verify in a contract decides it; NULL for NULL. Errors: hashes that have not 32 bytes';
