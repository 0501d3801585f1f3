/** PEM and SPIFFE IDs: texts that strangers write. */

import assert from "node:assert/strict";
import { encodePem, parsePem, parseSinglePem } from "../../../src/core/x509/pem.ts";
import { SpiffeId } from "../../../src/core/spiffe/id.ts";
import { textOf, valueOrTyped, type FuzzTarget } from "../target.ts";

const LABEL = "CERTIFICATE REQUEST";
const block = (octets: number): string => encodePem(new Uint8Array(octets).fill(0x5a), LABEL);

export const pem: FuzzTarget = {
  name: "pem",
  shape: "text",
  dictionary: [
    "-----BEGIN CERTIFICATE REQUEST-----\n",
    "-----END CERTIFICATE REQUEST-----\n",
    "-----BEGIN NEW CERTIFICATE REQUEST-----",
    "-----BEGIN ",
    "-----END ",
    "-----",
    "\r\n",
    "\n",
    "==",
    "Proc-Type: 4,ENCRYPTED\n",
    "\u00a0",
    "\ufeff",
  ],
  seeds: () => ({
    one: block(100),
    two: block(30) + block(31),
    crlf: block(64).replaceAll("\n", "\r\n"),
    legacy: block(10).replaceAll(LABEL, `NEW ${LABEL}`),
    text: `# a comment\n${block(5)}behind it\n`,
  }),
  check: (input) => {
    const text = textOf(input);
    const blocks = valueOrTyped(() => parsePem(text, LABEL, { blocksMax: 3 }));
    const single = valueOrTyped(() => parseSinglePem(text, LABEL));
    if (single !== undefined) {
      // White space around the one block is all that they do not agree about.
      assert.deepEqual(parsePem(text.trim(), LABEL, { blocksMax: 1 }), [single]);
      assert.deepEqual(parseSinglePem(encodePem(single, LABEL), LABEL), single);
    }
    if (blocks === undefined) return false;
    assert.ok(blocks.length >= 1 && blocks.length <= 3);
    return true;
  },
};

export const spiffeId: FuzzTarget = {
  name: "spiffe-id",
  shape: "text",
  dictionary: ["spiffe://", "/ns/", "/sa/", "..", ".", "//", "%2e", "@", ":80", "?", "#", "\0"],
  seeds: () => ({
    workload: "spiffe://cluster.local/ns/default/sa/web",
    "trust-domain": "spiffe://prod.example",
    odd: "spiffe://a_b-c.1/A/..x/...",
    long: `spiffe://td/${"a/".repeat(1017)}ab`,
  }),
  check: (input) => {
    const text = textOf(input);
    const id = valueOrTyped(() => SpiffeId.parse(text));
    if (id === undefined) return false;
    assert.equal(id.toString(), text);
    assert.ok(Buffer.byteLength(text) <= 2048);
    assert.ok(SpiffeId.fromPath(id.trustDomain, id.path).equals(id));
    // Another reader: whatever we take means the same to a browser's parser.
    const { protocol, host, pathname, username, search, hash } = new URL(text);
    assert.deepEqual(
      [protocol, host, username, search, hash],
      ["spiffe:", id.trustDomain.name, "", "", ""],
    );
    assert.equal(pathname, id.path);
    return true;
  },
};
