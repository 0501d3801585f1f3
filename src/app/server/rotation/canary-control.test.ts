/** What of an agent's handshakes is kept: what proves something now, of proxies that are there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { HandshakeProof } from "../../../core/roll/handshake-proof.ts";
import { SpiffeId } from "../../../core/spiffe/id.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { CanaryControl } from "./canary-control.ts";
import type { NextAuthority } from "./next-authority.ts";

const own = SpiffeId.parse("spiffe://td.test/ns/shop/sa/web");
const sidecarMax = 256;
const first: NextAuthority = { rootSha256: "aa", rootsSequence: 7n };
const other: NextAuthority = { rootSha256: "aa", rootsSequence: 8n };

class Scene {
  readonly session: Session;
  readonly control: CanaryControl;
  next: NextAuthority | undefined;

  constructor(next: NextAuthority | undefined) {
    this.next = next;
    const call = { write: () => true };
    const session = { call, peer: { id: own }, wantsPolicy: true } as unknown as Session;
    this.session = session;
    this.control = new CanaryControl({
      next: { find: () => this.next },
      issuer: { problemOf: () => undefined },
      sessionOf: () => session,
      sessions: () => [session],
      listenersOf: () => ({ kind: "unknown" }),
    });
    this.control.ask(session);
  }

  ask(next: NextAuthority | undefined): void {
    this.next = next;
    this.control.ask(this.session);
  }

  tell(proxyId: string, authority = first, spiffeId?: string): void {
    const proof: HandshakeProof = { ...authority, policyDigest: "d1", failure: undefined };
    this.control.take(this.session, { proxyId, spiffeId, proof });
  }

  tellMany(name: string, authority = first): void {
    for (let at = 0; at < sidecarMax; at++) this.tell(`${name}-${at}`, authority);
  }

  has(proxyId: string, spiffeId = own.toString()): boolean {
    const reporter = { spiffeId: own.toString(), agentId: "a" };
    return this.control.view()?.proofOf({ reporter, spiffeId, proxyId }) !== undefined;
  }
}

test("has room for new proxies when those that it heard of are gone", () => {
  const scene = new Scene(first);
  scene.tellMany("web");
  scene.tell("late");
  assert.equal(scene.has("late"), false);
  const { session, control } = scene;
  control.gone(session, ["web-0", "nobody"]);
  scene.tell("late");
  assert.deepEqual(
    [scene.has("web-0"), scene.has("web-1"), scene.has("late")],
    [false, true, true],
  );
});

test("takes a proxy of another identity for gone by its whole name only", () => {
  const scene = new Scene(first);
  const spiffeId = "spiffe://td.test/ns/shop/sa/db";
  scene.tell("p", first, spiffeId);
  scene.tell("p");
  const { session, control } = scene;
  control.gone(session, ["p"]);
  assert.deepEqual([scene.has("p"), scene.has("p", spiffeId)], [false, true]);
  control.gone(session, [`${spiffeId} p`]);
  assert.equal(scene.has("p", spiffeId), false);
});

test("has room again when another authority is asked for, and keeps nothing of the one before", () => {
  const scene = new Scene(first);
  scene.tellMany("web");
  scene.ask(other);
  scene.tell("old");
  assert.deepEqual([scene.has("web-0"), scene.has("old")], [false, false]);
  scene.tellMany("new", other);
  assert.equal(scene.has(`new-${sidecarMax - 1}`), true);
});

test("still has what was told when the same authority is asked for again: it is not told twice", () => {
  const scene = new Scene(first);
  scene.tell("web-0");
  scene.ask(undefined);
  scene.ask(first);
  assert.equal(scene.has("web-0"), true);
});

test("keeps nothing that was told before it was asked for", () => {
  const scene = new Scene(undefined);
  scene.tell("web-0");
  scene.ask(first);
  assert.equal(scene.has("web-0"), false);
});
