import assert from "node:assert/strict";
import { test } from "node:test";
import { SpiffeId } from "../../../core/spiffe/id.ts";
import { isDistrusted } from "./distrust.ts";

const [first, second] = [Uint8Array.of(1), Uint8Array.of(2)];
const id = SpiffeId.parse("spiffe://td/a");

for (const [title, roots, root, expected] of [
  ["a peer is heard whose root is trusted", [first, second], second, false],
  ["a peer of a root that was taken away is not heard", [first], second, true],
  ["a peer is not heard of whom nobody has asked by which root", [first], undefined, true],
] as const) {
  test(title, () => {
    const peer = { id, serialHex: "0a", notAfterMs: 1, root: root && Uint8Array.from(root) };
    assert.equal(isDistrusted({ roots }, peer), expected);
  });
}
