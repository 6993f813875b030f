// Reads what payouts.sql writes and checks it with the package, in TAP.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { keccak256 } from 'ethereum-cryptography/keccak.js';

const types = ['address', 'uint256'];
let tests = 0;
let failed = 0;

function test(name, body) {
	tests++;
	try {
		body();
		console.log(`ok ${tests} - ${name}`);
	} catch (error) {
		failed++;
		console.log(`not ok ${tests} - ${name}`);
		console.log(String(error.message).split('\n').slice(0, 12).map(line => `# ${line}`).join('\n'));
	}
}

const lines = fs.readFileSync(process.argv[2], 'utf8').split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line));
const { hashes } = lines.shift();

test('Keccak-256 of messages of 0 to 420 bytes', () => {
	assert.equal(Object.keys(hashes).length, 421);
	for (const [length, hash] of Object.entries(hashes)) {
		assert.equal(Buffer.from(keccak256(Buffer.from('x'.repeat(Number(length))))).toString('hex'), hash, `of ${length} bytes`);
	}
});

test('there are batches', () => assert.equal(lines.length, 16));

for (const { payments, root, csv, tree, proofs } of lines) {
	const [header, ...rows] = csv.trimEnd().split('\n');
	const values = rows.map(row => row.split(','));

	test(`${payments} payments: the CSV`, () => {
		assert.equal(header, 'address,amount');
		assert.equal(values.length, payments);
		assert.ok(csv.endsWith('\n'));
	});
	test(`${payments} payments: the tree made from the CSV is the one that was exported`, () => {
		const made = StandardMerkleTree.of(values, types);
		assert.equal(made.root, `0x${root}`);
		assert.deepEqual(tree, made.dump());
	});
	test(`${payments} payments: the package loads the tree`, () => {
		const loaded = StandardMerkleTree.load(tree);
		loaded.validate();
		assert.equal(loaded.root, `0x${root}`);
		assert.equal(loaded.length, payments);
	});
	test(`${payments} payments: it verifies every proof, and no other payment with it`, () => {
		const loaded = StandardMerkleTree.load(tree);
		const dumped = new Map(tree.values.map(({ value, treeIndex }) => [value[0], treeIndex]));
		assert.equal(proofs.length, payments);
		for (const { address, amount, tree_index, proof } of proofs) {
			assert.ok(StandardMerkleTree.verify(`0x${root}`, types, [address, amount], proof), address);
			assert.ok(!StandardMerkleTree.verify(`0x${root}`, types, [address, String(BigInt(amount) + 1n)], proof), address);
			assert.deepEqual(proof, loaded.getProof([address, amount]));
			assert.equal(tree_index, dumped.get(address));
		}
	});
}

console.log(`1..${tests}`);
process.exit(failed ? 1 : 0);
