import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  CHAIN_NOW_MS as nowMs,
  issue,
  type IssuedNode,
  type NodeOptions,
} from "../../../test/support/chain-builder.ts";
import { extension, extensions, makeCertificate } from "../../../test/support/certificate.ts";
import { bitString, boolean, explicit, sequence, text } from "../../../test/support/der.ts";
import { validity } from "../../../test/support/reissue.ts";
import { parseCertificate, type Extension } from "./certificate.ts";
import { ChainError, verifyChain, type ChainErrorCode } from "./chain.ts";
import { KeyUsage } from "./profile.ts";

const foreignExtension = (critical: boolean): Extension => ({
  oid: "1.2.3.4",
  critical,
  value: Uint8Array.of(5, 0),
});
/** Permits `.test` only: to ignore it would be to widen it (RFC 5280 4.2.1.10). */
const nameConstraints: Extension = {
  oid: "2.5.29.30",
  critical: true,
  value: sequence(explicit(0, sequence(text(0x82, ".test")))),
};

let root: IssuedNode;
let outer: IssuedNode;
let inner: IssuedNode;
let leaf: IssuedNode;
before(async () => {
  root = await issue(undefined, "root");
  outer = await issue(root, "outer");
  inner = await issue(outer, "inner");
  leaf = await issue(inner, "leaf", { ca: false });
});

const derOf = ({ der }: IssuedNode): Uint8Array => der;

function verify(chain: readonly IssuedNode[], roots: readonly IssuedNode[], atMs = nowMs): void {
  const { der } = verifyChain(chain.map(derOf), roots.map(derOf), atMs);
  assert.equal(der, chain[0]?.der);
}

function refuses(
  code: ChainErrorCode,
  chain: readonly IssuedNode[],
  roots: readonly IssuedNode[] = [root],
  atMs: number = nowMs,
): void {
  assert.throws(
    () => verify(chain, roots, atMs),
    (error) => error instanceof ChainError && error.code === code,
    code,
  );
}

describe("a chain holds", () => {
  it("with no, one and two intermediates, and gives its leaf", async () => {
    const direct = await issue(root, "direct", { ca: false });
    const single = await issue(outer, "single", { ca: false });
    verify([direct], [root]);
    verify([single, outer], [root]);
    verify([leaf, inner, outer], [root]);
  });

  it("under any root of the bundle, an intermediate as the anchor included", async () => {
    const stranger = await issue(undefined, "stranger");
    verify([leaf, inner, outer], [stranger, root]);
    verify([leaf, inner], [outer]);
    verify([leaf, inner, outer, root], [root]);
  });

  it("from the first to the last millisecond of its dates", async () => {
    const dates = { notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 60_000 };
    const short = await issue(root, "short", { ca: false, ...dates });
    verify([short], [root], dates.notBeforeMs);
    verify([short], [root], dates.notAfterMs - 1);
    refuses("chain-expired", [short], [root], dates.notBeforeMs - 1);
    refuses("chain-expired", [short], [root], dates.notAfterMs);
  });

  it("when a root was renewed under its old name and key, in either order", async () => {
    const { keys } = root;
    const expired = await issue(undefined, "root", { keys, notAfterMs: nowMs - 1_000 });
    verify([leaf, inner, outer], [expired, root]);
    verify([leaf, inner, outer], [root, expired]);
    refuses("chain-expired", [leaf, inner, outer], [expired]);
  });

  it("when two roots have one name and two keys", async () => {
    const namesake = await issue(undefined, "root");
    verify([leaf, inner, outer], [namesake, root]);
    verify([leaf, inner, outer], [root, namesake]);
    refuses("chain-no-root", [leaf, inner, outer], [namesake]);
  });

  it("with extensions that are foreign and not critical", async () => {
    const odd = await issue(root, "odd", { ca: false, extensions: [foreignExtension(false)] });
    verify([odd], [root]);
  });

  it("as deep as its path lengths allow", async () => {
    const tight = await issue(root, "tight", { pathLength: 1 });
    const last = await issue(tight, "last", { pathLength: 0 });
    const end = await issue(last, "end", { ca: false });
    verify([end, last, tight], [root]);
  });
});

describe("a chain is refused", () => {
  it("when it is empty, in the wrong order or has a gap", () => {
    refuses("chain-broken", []);
    refuses("chain-broken", [leaf, outer, inner]);
    refuses("chain-broken", [inner, leaf, outer]);
    refuses("chain-broken", [leaf, outer]);
    refuses("chain-broken", [leaf, inner, outer, outer]);
    refuses("chain-no-root", [leaf, inner]);
    refuses("chain-no-root", [leaf]);
  });

  it("when no root is given, or strangers only", async () => {
    const stranger = await issue(undefined, "stranger");
    refuses("chain-no-root", [leaf, inner, outer], []);
    refuses("chain-no-root", [leaf, inner, outer], [stranger]);
  });

  it("when an intermediate has the right name and another key", async () => {
    const namesake = await issue(outer, "inner");
    refuses("chain-broken", [leaf, namesake, outer]);
  });

  it("when the right key stands under another name", async () => {
    const renamed = await issue(outer, "renamed", { keys: inner.keys });
    refuses("chain-broken", [leaf, renamed, outer]);
  });

  it("when any of its certificates, or the root, is out of date", async () => {
    for (const dates of [{ notAfterMs: nowMs }, { notBeforeMs: nowMs + 1_000 }]) {
      const oldLeaf = await issue(inner, "leaf", { ca: false, ...dates });
      const oldInner = await issue(outer, "inner", { keys: inner.keys, ...dates });
      const oldOuter = await issue(root, "outer", { keys: outer.keys, ...dates });
      const oldRoot = await issue(undefined, "root", { keys: root.keys, ...dates });
      refuses("chain-expired", [oldLeaf, inner, outer]);
      refuses("chain-expired", [leaf, oldInner, outer]);
      refuses("chain-expired", [leaf, inner, oldOuter]);
      refuses("chain-expired", [leaf, inner, outer], [oldRoot]);
    }
  });

  it("when any issuer is not a CA or may not sign certificates", async () => {
    const faults: readonly NodeOptions[] = [
      { ca: false, keyUsage: 1 << KeyUsage.keyCertSign },
      { keyUsage: (1 << KeyUsage.cRLSign) | (1 << KeyUsage.digitalSignature) },
      { keyUsage: 0 },
    ];
    for (const fault of faults) {
      const badInner = await issue(outer, "inner", { keys: inner.keys, ...fault });
      const badOuter = await issue(root, "outer", { keys: outer.keys, ...fault });
      const badRoot = await issue(undefined, "root", { keys: root.keys, ...fault });
      refuses("chain-not-ca", [leaf, badInner, outer]);
      refuses("chain-not-ca", [leaf, inner, badOuter]);
      refuses("chain-not-ca", [leaf, inner, outer], [badRoot]);
    }
  });

  it("when it is deeper than any path length allows", async () => {
    const tightRoot = await issue(undefined, "root", { keys: root.keys, pathLength: 1 });
    const tightOuter = await issue(root, "outer", { keys: outer.keys, pathLength: 0 });
    refuses("chain-not-ca", [leaf, inner, outer], [tightRoot]);
    refuses("chain-not-ca", [leaf, inner, tightOuter]);
    const wideRoot = await issue(undefined, "root", { keys: root.keys, pathLength: 2 });
    verify([leaf, inner, outer], [wideRoot]);
  });

  it("when a critical extension is not understood, name constraints among them", async () => {
    for (const each of [foreignExtension(true), nameConstraints]) {
      const list = { extensions: [each] };
      const oddLeaf = await issue(inner, "leaf", { ca: false, ...list });
      const oddInner = await issue(outer, "inner", { keys: inner.keys, ...list });
      refuses("chain-critical-extension", [oddLeaf, inner, outer]);
      refuses("chain-critical-extension", [leaf, oddInner, outer]);
    }
  });

  it("when a signature was touched", () => {
    const touched = Uint8Array.from(leaf.der);
    touched[touched.length - 1] = (touched.at(-1) ?? 0) ^ 1;
    refuses("chain-broken", [{ ...leaf, der: touched }, inner, outer]);
  });

  it("when OpenSSL cannot read the key of an issuer", async () => {
    const model = await issue(root, "keyless");
    const der = makeCertificate({
      issuer: parseCertificate(root.der).subjectDer,
      subject: parseCertificate(model.der).subjectDer,
      validity: validity(nowMs - 60_000, nowMs + 60_000),
      extensions: extensions(
        extension("2.5.29.19", sequence(boolean(true)), true),
        extension("2.5.29.15", bitString(Uint8Array.of(0x04), 2), true),
      ),
    });
    const child = await issue(model, "child", { ca: false });
    refuses("chain-no-root", [child], [{ ...model, der }]);
    refuses("chain-broken", [child, { ...model, der }]);
  });
});
