import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerMode } from "../resources/peer-authentication.ts";
import {
  formatUntil,
  isOverdue,
  isPaid,
  ownerAnnotation,
  readDebt,
  untilAnnotation,
  withDebt,
  withoutDebt,
} from "./debt.ts";

const manifestOf = (annotations: Record<string, unknown>) => ({
  apiVersion: "security.istio.io/v1",
  metadata: { name: "a", namespace: "b", labels: { x: "y" }, annotations },
});

const dates: readonly (readonly [text: string, ms: number | undefined])[] = [
  ["2026-12-24", Date.UTC(2026, 11, 24)],
  ["2026-12-24T10:00:00Z", Date.UTC(2026, 11, 24, 10)],
  ["2026-12-24t10:00:00.5z", Date.UTC(2026, 11, 24, 10, 0, 0, 500)],
  ["2026-12-24T10:00:00+02:00", Date.UTC(2026, 11, 24, 8)],
  ["2026-02-30", undefined],
  ["2026-02-30T10:00:00Z", undefined],
  ["2026-12-24T10:00:00", undefined],
  ["2026-12-24T25:00:00Z", undefined],
  ["24.12.2026", undefined],
  ["", undefined],
  ["tomorrow", undefined],
];

for (const [text, ms] of dates) {
  test(`${JSON.stringify(text)} is ${ms === undefined ? "no date, and alarms" : new Date(ms).toISOString()}`, () => {
    const debt = readDebt(manifestOf({ [untilAnnotation]: text }));
    assert.deepEqual(debt, { untilMs: ms, until: text, owner: "" });
    assert.ok(isOverdue(debt, ms ?? 0));
    assert.equal(isOverdue(debt, (ms ?? 0) - 1), ms === undefined);
  });
}

test("without a date there is no debt", () => {
  for (const manifest of [
    {},
    { metadata: null },
    manifestOf({}),
    manifestOf({ [ownerAnnotation]: "x" }),
  ]) {
    assert.equal(readDebt(manifest), undefined);
  }
});

test("what is written is read again, and all else of the manifest stays", () => {
  for (const untilMs of [Date.UTC(2027, 0, 1), Date.UTC(2027, 0, 1, 12, 30)]) {
    const manifest = manifestOf({ z: "1", a: "2" });
    const written = withDebt(manifest, untilMs, "team-x");
    const until = formatUntil(untilMs);
    assert.deepEqual(readDebt(written), { untilMs, until, owner: "team-x" });
    const { annotations, ...metadata } = written["metadata"] as Record<string, object>;
    assert.deepEqual(Object.keys(annotations ?? {}), ["a", ownerAnnotation, untilAnnotation, "z"]);
    assert.deepEqual(metadata, { name: "a", namespace: "b", labels: { x: "y" } });
  }
  assert.equal(formatUntil(Date.UTC(2027, 0, 1)), "2027-01-01");
  assert.equal(formatUntil(Date.UTC(2027, 0, 1, 12, 30)), "2027-01-01T12:30:00Z");
});

test("what is paid is taken away, and all else of the manifest stays", () => {
  const manifest = manifestOf({ z: "1" });
  assert.deepEqual(withoutDebt(withDebt(manifest, 0, "team-x")), manifest);
  assert.equal(withoutDebt(manifest), manifest);
  const { annotations: _, ...metadata } = manifest.metadata;
  const bare = { ...manifest, metadata };
  assert.deepEqual(withoutDebt(withDebt(bare, 0, "team-x")), bare);
});

test("a policy that lets no plaintext in owes nothing", () => {
  const of = (mode: PeerMode, ...ports: readonly PeerMode[]): boolean =>
    isPaid({ mode, ports: new Map(ports.map((each, at) => [at + 1, each])) });
  assert.deepEqual(
    [of("STRICT"), of("STRICT", "STRICT", "UNSET"), of("UNSET", "STRICT")],
    [true, true, true],
  );
  assert.deepEqual(
    [
      of("PERMISSIVE"),
      of("UNSET"),
      of("DISABLE"),
      of("STRICT", "PERMISSIVE"),
      of("UNSET", "UNSET"),
    ],
    [false, false, false, false, false],
  );
});
