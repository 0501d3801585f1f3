import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  decideAnchor,
  decideDialledAnchor,
  decideServerTrust,
  isOrphaned,
  type ServerAnchor,
  type ServerTrust,
} from "./server-trust.ts";

const [a, b, c] = [1, 2, 3].map((each) => Uint8Array.of(each)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const mesh: ServerAnchor = { isMesh: true, fileDigest: "A" };
const proxy: ServerAnchor = { isMesh: false, fileDigest: "A" };
const fileA = { roots: [a], digest: "A" };
const fileB = { roots: [b], digest: "B" };

const trusts: readonly (readonly [
  string,
  ServerAnchor | undefined,
  string | undefined,
  boolean,
  ServerTrust,
])[] = [
  ["the file before the first certificate", undefined, "A", false, "file"],
  ["the file where an older agent has not said how", undefined, "A", true, "file"],
  ["the file behind a proxy that ends TLS", proxy, "A", true, "file"],
  ["the file behind a proxy, also when it has changed", proxy, "B", true, "file"],
  ["the file behind a proxy, also when the certificate has expired", proxy, "A", false, "file"],
  ["the bundle alone once the mesh's own root was above the server", mesh, "A", true, "bundle"],
  ["the bundle alone without a file", mesh, undefined, true, "bundle"],
  ["the bundle alone without a file, also when expired", mesh, undefined, false, "bundle"],
  ["both when the file has changed since", mesh, "B", true, "both"],
  ["both when the certificate has expired", mesh, "A", false, "both"],
  ["both when it has expired and the file has changed", mesh, "B", false, "both"],
];

for (const [what, anchor, digest, isValid, expected] of trusts) {
  test(`verifies the server with ${what}`, () => {
    assert.equal(decideServerTrust(anchor, digest, isValid), expected);
  });
}

const anchors: readonly (readonly [string, ServerAnchor, ServerAnchor])[] = [
  [
    "a first contact by a root that both have",
    decideAnchor(undefined, a, [a, b], fileA),
    { isMesh: true, fileDigest: "A" },
  ],
  [
    "a first contact by the file's root alone",
    decideAnchor(undefined, a, [b], fileA),
    { isMesh: false, fileDigest: "A" },
  ],
  [
    "a rotation, with the file of before",
    decideAnchor(mesh, b, [a, b], fileA),
    { isMesh: true, fileDigest: "A" },
  ],
  [
    "a rotation, with a file that follows it",
    decideAnchor(mesh, b, [b], fileB),
    { isMesh: true, fileDigest: "B" },
  ],
  [
    "a new file that the server does not hang on yet, which goes on to count",
    decideAnchor(mesh, a, [a], fileB),
    { isMesh: true, fileDigest: "A" },
  ],
  [
    "a proxy that has come between",
    decideAnchor(mesh, b, [a], fileB),
    { isMesh: false, fileDigest: "B" },
  ],
  ["a proxy that is gone", decideAnchor(proxy, b, [b], fileB), { isMesh: true, fileDigest: "B" }],
  [
    "a root that was compromised while the certificate was on its way",
    decideAnchor(mesh, a, [b], fileA, [a, b]),
    { isMesh: true, fileDigest: "A" },
  ],
  [
    "the same where the file has followed",
    decideAnchor(mesh, a, [b], fileB, [a, b]),
    { isMesh: true, fileDigest: "A" },
  ],
  [
    "a proxy that has come between, whatever was held",
    decideAnchor(mesh, c, [a], fileB, [a, b]),
    { isMesh: false, fileDigest: "B" },
  ],
];

for (const [what, got, expected] of anchors) {
  test(`remembers ${what}`, () => assert.deepEqual(got, expected));
}

const dials: readonly (readonly [string, ServerAnchor | undefined, ServerAnchor | undefined])[] = [
  [
    "that a server behind no proxy is the mesh's own",
    decideDialledAnchor(proxy, a, [a, b], fileA),
    { isMesh: true, fileDigest: "A" },
  ],
  [
    "the same where an older agent has not said how",
    decideDialledAnchor(undefined, b, [a, b], fileB),
    { isMesh: true, fileDigest: "B" },
  ],
  ["nothing that it knew", decideDialledAnchor(mesh, a, [a], fileA), undefined],
  ["nothing of a proxy", decideDialledAnchor(proxy, b, [a], fileB), undefined],
  ["nothing of a file that has changed", decideDialledAnchor(proxy, a, [a], fileB), undefined],
];

for (const [what, got, expected] of dials) {
  test(`learns from a dial ${what}`, () => assert.deepEqual(got, expected));
}

const question = {
  anchor: mesh,
  file: fileB,
  askedDigest: undefined,
  bundle: [a],
  isOfFile: () => false,
};
const orphans: readonly (readonly [string, Partial<Parameters<typeof isOrphaned>[0]>, boolean])[] =
  [
    ["a new file with another root, the certificate not of it", {}, true],
    ["the same of an older agent's set", { anchor: undefined }, true],
    ["the same where the file was a proxy's", { anchor: proxy }, true],
    ["a rotation: the file old, the certificate new", { file: fileA, bundle: [a, b] }, false],
    ["a retired root: the file old, the bundle new", { file: fileA, bundle: [b] }, false],
    ["a file that is ahead of the rotation", { bundle: [a, b] }, false],
    ["a file with one root more", { file: { roots: [a, c], digest: "AC" } }, false],
    ["a certificate that is of the new file", { isOfFile: () => true }, false],
    ["a file that was asked under before", { askedDigest: "B" }, false],
  ];

for (const [what, change, expected] of orphans) {
  test(`${expected ? "takes" : "does not take"} for a lost root: ${what}`, () => {
    assert.equal(isOrphaned({ ...question, ...change }), expected);
  });
}

const set = fc.uniqueArray(fc.constantFrom(a, b, c), { minLength: 1 });
const digestOf = (roots: readonly Uint8Array[]): string => roots.map(String).toSorted().join("+");

test("trusts an unchanged file never again once the bundle was enough, whatever roots come and go", () => {
  const steps = fc.array(fc.record({ bundle: set, pick: fc.nat() }), { minLength: 1 });
  fc.assert(
    fc.property(set, steps, (fileRoots, all) => {
      const file = { roots: fileRoots, digest: digestOf(fileRoots) };
      let anchor: ServerAnchor | undefined;
      let held: readonly Uint8Array[] = [];
      for (const { bundle, pick } of all) {
        const trust = decideServerTrust(anchor, file.digest, true);
        if (anchor?.isMesh === true) assert.equal(trust, "bundle");
        // What was held when the server was dialled verifies it, whatever the reply brings.
        const roots = trust === "file" ? fileRoots : held;
        const root = roots[pick % roots.length] ?? a;
        anchor = decideAnchor(anchor, root, bundle, file, held);
        held = bundle;
        assert.equal(anchor.fileDigest, file.digest);
        const asked = { anchor, file, askedDigest: undefined, bundle, isOfFile: () => false };
        assert.equal(isOrphaned(asked), false);
      }
    }),
  );
});
