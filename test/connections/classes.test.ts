/** Who calls a real Envoy's ports is told as what he is, once, and with his source; and all that Envoy has counted was told. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SeenConnections } from "../../src/core/evidence/connection.ts";
import { canaryId, clientId, MeshPki } from "../policy-envoy/certificates.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { callers, type Caller, type PortKind, type Told } from "./callers.ts";
import { ConnectionScene } from "./scene.ts";
import { join } from "node:path";

const kinds = (["tcp", "http", "auto"] as const).flatMap((protocol) =>
  (["permissive", "strict"] as const).map((mode): PortKind => ({ protocol, mode })),
);

test("connections to a real Envoy", { timeout: 60_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using scene = await ConnectionScene.open();
  const { mesh } = scene;
  const all = callers({
    client: mesh.issue(clientId),
    stranger: new MeshPki(join(directory.path, "stranger")).issue(clientId),
    expired: mesh.issue(clientId, -1),
    otherDomain: mesh.issue("spiffe://other.test/ns/shop/sa/client"),
    canary: mesh.issue(canaryId),
  });
  const ports = await scene.listen(kinds);
  await scene.told(ports);
  const callAll = async ({ port }: { readonly port: number }): Promise<void> => {
    for (const [at, { call }] of all.entries()) await call(port, `127.0.1.${at + 1}`);
  };
  await Promise.all(ports.map(callAll));
  const told = await scene.told(ports);

  for (const [at, kind] of kinds.entries()) {
    const port = ports[at]?.port ?? 0;
    const expected = all.map((caller, number) => rowOf(caller, number, kind));
    await t.test(`are told as what they are: ${kind.protocol}, ${kind.mode}`, () => {
      const rows = told.seen(port).map(textOf);
      assert.deepEqual(rows.toSorted(), summedUp(expected));
      assert.deepEqual(told.lost(port), { unmeshed: 0, meshed: 0 });
      told.assertWithoutGap(port);
    });
    await t.test(`have what a probe says of itself: ${kind.protocol}, ${kind.mode}`, () => {
      const number = all.findIndex(({ title }) => title === "a probe");
      const [row] = told.from(port, `127.0.1.${number + 1}`);
      const isHttp = kind.protocol !== "tcp" && kind.mode === "permissive";
      assert.equal(row?.claim, isHttp ? "kube-probe/1.31" : "");
    });
  }
});

interface Row {
  readonly told: Told;
  readonly source: string;
}

function rowOf(caller: Caller, number: number, kind: PortKind): Row {
  const told = caller.told(kind);
  return { told, source: told.endsWith("by name") ? clientId : `127.0.1.${number + 1}` };
}

function summedUp(rows: readonly Row[]): string[] {
  const counts = new Map<string, number>();
  for (const { told, source } of rows) {
    if (told === "nobody") continue;
    const text = `${told.replace(" by name", "")} ${source}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return Array.from(counts, ([text, count]) => `${text} ${count}`).toSorted();
}

function textOf({ kind, isRefused, source, count }: SeenConnections): string {
  const from = source.kind === "identity" ? source.spiffeId : "";
  const address = source.kind === "address" ? source.address : from;
  return `${kind}${isRefused ? " refused" : ""} ${address} ${count}`;
}
