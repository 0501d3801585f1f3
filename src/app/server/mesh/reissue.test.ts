import assert from "node:assert/strict";
import { test } from "node:test";
import type { HeldLeaf } from "../../../core/roll/evidence.ts";
import { rootSha256 } from "../../../core/spiffe/roots-digest.ts";
import type { AuthorityRecord, TrustState } from "../../../core/trust/trust-state.ts";
import type { CertificateRecord } from "../../../edge/log/certificate-record.ts";
import { HeldLeaves } from "./held-leaves.ts";
import type { Session } from "./mesh-session.ts";
import { Reissue } from "./reissue.ts";

const hourMs = 3_600_000;
const td = "spiffe://td/";
const rootOf = (name: string): Uint8Array => Uint8Array.from(Buffer.from(name));

class Rig {
  nowMs = 0;
  perSecond = 100;
  authorities: readonly Pick<AuthorityRecord, "state" | "root">[] = [
    { state: "active", root: rootOf("new") },
    { state: "retiring", root: rootOf("old") },
  ];
  /** By serial: identity, pod and root. */
  readonly log = new Map<string, readonly [string, string, string]>();
  readonly sessions: Session[] = [];
  readonly asked: string[] = [];
  lookedUp = 0;
  readonly reissue: Reissue = new Reissue({
    state: () => ({ authorities: this.authorities, retired: [] }) as unknown as TrustState,
    certificates: { bySerial: (serial) => this.#find(Buffer.from(serial).toString("hex")) },
    sessions: () => this.sessions,
    renew: (_, serials) =>
      void this.asked.push(...serials.map((each) => Buffer.from(each).toString("hex"))),
    perSecond: () => this.perSecond,
    nowMs: () => this.nowMs,
  });

  /** @param leaves serial, hours to live, root, workload, pod */
  join(
    leaves: readonly (readonly [string, number, string, string, string?])[],
    speaksFor?: readonly string[],
  ): void {
    const held = new HeldLeaves(speaksFor !== undefined);
    const made = leaves.map(([serialHex, hours, root, name, pod = ""]): HeldLeaf => {
      if (name !== "") this.log.set(serialHex, [`${td}${name}`, pod, root]);
      // As an operator's CA says it, whose key identifier is not ours.
      return { serialHex, notAfterMs: hours * hourMs };
    });
    held.take({ full: true, held: made, dropped: [] }, this.nowMs);
    const spokenFor = speaksFor && { has: (id: string) => speaksFor.includes(id.slice(td.length)) };
    const reporter = {
      agentId: `a${this.sessions.length}`,
      spiffeId: speaksFor ? `${td}node` : `${td}own`,
    };
    this.sessions.push({ held, spokenFor, reporter } as unknown as Session);
  }

  /** The agent has another certificate now. */
  holds(session: number, serialHex: string, root: string): void {
    this.log.set(serialHex, [`${td}own`, "", root]);
    const held = [{ serialHex, notAfterMs: 2 * hourMs }];
    this.sessions[session]?.held.take({ full: true, held, dropped: [] }, this.nowMs);
  }

  /** @returns who was asked in so many turns of a fifth of a second each */
  turns(count: number): readonly string[] {
    for (let turn = 0; turn < count; turn++) {
      this.nowMs += 200;
      this.reissue.tick();
    }
    return this.asked.splice(0);
  }

  #find(serialHex: string): CertificateRecord | undefined {
    this.lookedUp++;
    const [identity, podUid, root] = this.log.get(serialHex) ?? [];
    if (identity === undefined) return undefined;
    const intent = {
      identity,
      root: root && rootSha256(rootOf(root)),
      evidence: { podUid, tokenId: "" },
    };
    return { intent } as CertificateRecord;
  }

  [Symbol.dispose](): void {
    this.reissue[Symbol.dispose]();
  }
}

test("asks for what another authority has signed, the first to end first, and again after a while", () => {
  using rig = new Rig();
  rig.join([["01", 3, "old", "own"]]);
  rig.join([["02", 2, "old", "own"]]);
  rig.join([["03", 1, "new", "own"]]);
  assert.deepEqual(rig.turns(3), ["02", "01"]);
  assert.equal(rig.reissue.progress.left, 2);
  assert.deepEqual(rig.turns(140), []);
  assert.deepEqual(rig.turns(20), ["02", "01"]);
});

test("asks nobody while nothing rotates, and looks nothing up", () => {
  using rig = new Rig();
  rig.authorities = [{ state: "active", root: rootOf("new") }];
  rig.join([["01", 3, "old", "own"]]);
  assert.deepEqual(rig.turns(5), []);
  assert.deepEqual([rig.reissue.progress.left, rig.lookedUp], [0, 0]);
});

test("asks of a node agent once for each pod that it speaks for, and for nobody else's", () => {
  using rig = new Rig();
  rig.join(
    [
      ["01", 1, "old", "web", "pod-1"],
      ["02", 2, "old", "web", "pod-1"],
      ["03", 1, "old", "web", "pod-2"],
      ["04", 2, "new", "web", "pod-2"],
      ["05", 1, "old", "foreign", "pod-3"],
      ["06", 1, "old", ""],
    ],
    ["web"],
  );
  assert.deepEqual(rig.turns(3), ["02"]);
  assert.equal(rig.reissue.progress.left, 1);
});

test("asks a sidecar's agent for nothing that it has replaced already, nor for what is another's", () => {
  using rig = new Rig();
  rig.join([
    ["01", 1, "old", "own", "pod-1"],
    ["02", 2, "new", "own", "pod-1"],
  ]);
  rig.join([["03", 1, "old", "foreign"]]);
  assert.deepEqual(rig.turns(3), []);
});

test("keeps within the budget, also right after a pause, and follows it when it changes", () => {
  using rig = new Rig();
  for (let agent = 0; agent < 600; agent++) {
    rig.join([[(0x1000 + agent).toString(16), 1, "old", "own"]]);
  }
  rig.turns(1);
  assert.equal(rig.turns(5).length, 100);
  rig.nowMs += 10_000;
  assert.equal(rig.turns(5).length, 100);
  rig.perSecond = 50;
  assert.equal(rig.turns(10).length, 100);
});

test("whoever makes up certificates keeps nobody from being asked", () => {
  using rig = new Rig();
  for (let agent = 0; agent < 10; agent++) {
    rig.join(Array.from({ length: 64 }, (_, index) => [`9${agent}${index + 100}0`, 9, "old", ""]));
  }
  rig.join([["01", 1, "old", "own"]]);
  assert.deepEqual(rig.turns(5), ["01"]);
});

test("looks for no more than 200 certificates in the log in a turn", () => {
  using rig = new Rig();
  for (let agent = 0; agent < 300; agent++) {
    rig.join([[(0x1000 + agent).toString(16), 1, "old", "own"]]);
  }
  rig.turns(1);
  assert.ok(rig.lookedUp >= 150 && rig.lookedUp <= 200, `${rig.lookedUp}`);
  rig.turns(1);
  assert.equal(rig.lookedUp, 300);
});

test("keeps its pace in a mesh that is larger than one look, and asks each once", () => {
  using rig = new Rig();
  const agents = 5_000;
  for (let agent = 0; agent < agents; agent++) {
    rig.join([[(0x1000 + agent).toString(16), 1, agent % 2 === 0 ? "old" : "new", "own"]]);
  }
  rig.turns(1);
  const asked = rig.turns(100);
  assert.equal(asked.length, 2_000);
  assert.equal(new Set(asked).size, 2_000);
  assert.equal(rig.lookedUp, agents);
});

test("asks nobody who has renewed since it was looked at", () => {
  using rig = new Rig();
  for (let agent = 0; agent < 5_000; agent++) {
    rig.join([[(0x1000 + agent).toString(16), 1, "old", "own"]]);
  }
  rig.turns(60);
  for (const { held } of rig.sessions) held.take({ full: true, held: [], dropped: [] }, rig.nowMs);
  assert.deepEqual(rig.turns(1), []);
});

test("asks at once again whoever has answered, when another authority is to sign", () => {
  using rig = new Rig();
  rig.join([["01", 1, "old", "own"]]);
  assert.deepEqual(rig.turns(3), ["01"]);
  rig.holds(0, "02", "new");
  assert.deepEqual(rig.turns(10), []);
  rig.authorities = [
    { state: "active", root: rootOf("newest") },
    { state: "retiring", root: rootOf("old") },
  ];
  assert.deepEqual(rig.turns(2), ["02"]);
});

test("asks at once again whoever has not answered yet, when another authority is to sign", () => {
  using rig = new Rig();
  rig.join([["01", 1, "old", "own"]]);
  assert.deepEqual(rig.turns(10), ["01"]);
  rig.authorities = [
    { state: "active", root: rootOf("newest") },
    { state: "retiring", root: rootOf("new") },
  ];
  assert.deepEqual(rig.turns(2), ["01"]);
});

test("asks each once in a large mesh when another authority is to sign", () => {
  using rig = new Rig();
  for (let agent = 0; agent < 5_000; agent++) {
    rig.join([[(0x1000 + agent).toString(16), 1, "old", "own"]]);
  }
  rig.turns(10);
  rig.authorities = [
    { state: "active", root: rootOf("newest") },
    { state: "retiring", root: rootOf("new") },
  ];
  const asked = rig.turns(60);
  assert.equal(asked.length, 1_200);
  assert.equal(new Set(asked).size, 1_200);
});

test("asks a workload ever less often that answers with certificates of others again and again", () => {
  using rig = new Rig();
  rig.join([["0000", 1, "old", "own"]]);
  let asked = 0;
  for (let turn = 0; turn < 300; turn++) {
    if (rig.turns(1).length === 0) continue;
    asked++;
    rig.holds(0, (0x1000 + asked).toString(16), "unheard-of");
  }
  assert.equal(asked, 6);
});
