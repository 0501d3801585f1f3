/**
 * An agent: a sidecar's, with one identity, or a node's, with one of its own and its workloads'. It decides by production code which
 * bundle it holds and which roots it verifies the server with; here are only its process, its disk and its clock.
 */

import { decideAnchor, decideServerTrust } from "../../src/app/agent/server-trust.ts";
import type { ProxyEvidence } from "../../src/core/roll/evidence.ts";
import { decideReplyBundle, decideStreamBundle } from "../../src/core/trust/held-bundle.ts";
import { trustBundle, type TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { AgentDisk, type HeldSet } from "./agent-disk.ts";
import type { CsrReply } from "./csr-client.ts";
import type { MeshLink } from "./mesh-link.ts";
import { Pipe } from "./pipe.ts";
import type { ChannelOwner } from "./sds-channel.ts";
import { bitOf, digestOf, maskOf, rootAt, rootNames, rootsMax, type Leaf } from "./symbols.ts";
import type { Workload } from "./workload.ts";
import type { World } from "./world.ts";

export class Agent implements ChannelOwner {
  readonly world: World;
  readonly isNode: boolean;
  /** Chosen once; another one after the disk was lost. */
  id: string;
  isAlive = true;
  isFrozen = false;
  /** Its network leads nowhere. */
  isCut = false;
  /** An operator has waived it. */
  isExcepted = false;
  skewMs = 0;
  /** The server's process has been told what it says now. */
  isClockKnown = false;
  /** In memory; on disk unless that was full. */
  set: HeldSet | undefined;
  /** Roots of the operator's file for the server. */
  fileMask = 0;
  readonly disk: AgentDisk = new AgentDisk();
  /** Changes on their way to the disk, one after the other. */
  readonly writes: Pipe<() => void>;
  /** Its own first. */
  workloads: readonly Workload[] = [];
  link!: MeshLink;
  #streams = 0n;
  #lives = 0;

  constructor(world: World, id: string, isNode: boolean) {
    this.world = world;
    this.id = id;
    this.isNode = isNode;
    this.writes = new Pipe(
      () => this.isServing,
      (write) => write(),
    );
  }

  get isServing(): boolean {
    return this.isAlive && !this.isFrozen;
  }

  get isReachable(): boolean {
    return this.isAlive && !this.isFrozen && !this.isCut;
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  /** Envoy's longest is 30 s. */
  backOffMs(): number {
    const { random } = this.world;
    return random.below(4) === 0 ? random.below(30_000) : 0;
  }

  get agentMs(): number {
    return this.world.nowMs + this.skewMs;
  }

  /** The latest that the server must reckon with: of a clock that it has not been told of it knows nothing. */
  get #reckonedMs(): number {
    return this.isClockKnown ? this.agentMs : Math.max(this.agentMs, this.world.nowMs);
  }

  get bundle(): TrustBundle | undefined {
    return this.set?.bundle;
  }

  get own(): Workload {
    const [own] = this.workloads;
    if (own === undefined) throw new Error("an agent without an identity");
    return own;
  }

  /** Of what it would have after a restart. */
  get heldRootsDigest(): string | undefined {
    const held = this.disk.own?.bundle;
    return held === undefined ? undefined : digestOf(maskOf(held.roots));
  }

  get isValid(): boolean {
    return this.set !== undefined && this.agentMs < this.set.leaf.notAfterMs;
  }

  hasEnded(leaf: Leaf): boolean {
    return this.world.exceptions.hasEnded(leaf, this.#reckonedMs);
  }

  /** A node agent asks for others with its own certificate. */
  mayAsk(workload: Workload): boolean {
    return workload === this.own || this.isValid;
  }

  nextStreamId(): bigint {
    return ++this.#streams;
  }

  evidenceChanged(): void {
    this.link.evidenceChanged();
  }

  acceptsServer(): boolean {
    return (this.serverMask() & this.world.server.servingBit) !== 0;
  }

  serverMask(): number {
    const { fileMask, set } = this;
    const held = set === undefined ? 0 : maskOf(set.bundle.roots);
    const trust = decideServerTrust(set?.anchor, digestOf(fileMask), this.isValid);
    return trust === "file" ? fileMask : trust === "bundle" ? held : fileMask | held;
  }

  takeBundle(came: TrustBundle): void {
    this.writes.send(() => {
      const held = this.set;
      if (held === undefined) return;
      const decision = decideStreamBundle(held.bundle, came);
      if (decision.kind === "replace") this.#take({ ...held, bundle: decision.bundle });
    });
  }

  takeReply(workload: Workload, { leaf, roots }: CsrReply): void {
    const held = { leaf, receivedAtMs: this.agentMs };
    const verifiedBy = this.world.server.servingBit;
    this.writes.send(() => {
      if (workload === this.own) {
        const came = trustBundle(this.world.trustDomain, 0n, roots);
        const { bundle } = decideReplyBundle(this.bundle, came);
        this.#take({ ...held, bundle, anchor: this.#anchor(verifiedBy, bundle) });
      } else {
        this.disk.writeWorkload(workload.identity, held);
        workload.hold(held, this.world.chance());
        workload.publish();
      }
      this.evidenceChanged();
    });
  }

  evidence(): Map<string, ProxyEvidence> {
    if (!this.isNode) return this.own.channel.evidence(undefined);
    const all = new Map<string, ProxyEvidence>();
    for (const { channel, identity, held } of this.workloads) {
      if (held === undefined) continue;
      for (const [key, proxy] of channel.evidence(identity)) all.set(key, proxy);
    }
    return all;
  }

  /** After time has passed, or the process was thawed. */
  tick(): void {
    if (!this.isServing) return;
    for (const workload of this.workloads) {
      workload.withdrawExpired();
      workload.client.giveUp(this.world.nowMs);
    }
  }

  start(): void {
    this.link.reset();
    this.isAlive = true;
    this.isFrozen = false;
    this.set = this.disk.own;
    if (this.disk.isBehind) this.world.exceptDisk(this);
    for (const workload of this.workloads) {
      const held = workload === this.own ? this.set : this.disk.workloads.get(workload.identity);
      if (held !== undefined) workload.hold(held, this.world.chance());
      workload.publish();
    }
  }

  kill(): void {
    this.stop(false);
  }

  /** @param isPolite its last words are still on their way */
  stop(isPolite: boolean): void {
    this.isAlive = false;
    this.isFrozen = false;
    this.set = undefined;
    this.writes.lose();
    for (const workload of this.workloads) workload.forget();
    if (!isPolite) this.link.reset();
  }

  /** Another agent of the same identity, in another pod. */
  reborn(): void {
    this.#lives++;
    this.id = `${this.id.split(".")[0]}.${this.#lives}`;
    for (const workload of this.workloads) workload.podUid = `${workload.identity}.${this.#lives}`;
    this.readFile();
  }

  /** The operator keeps the file for newcomers current. */
  readFile(): void {
    this.fileMask = this.world.server.bundleMask;
  }

  #take(set: HeldSet): void {
    const { own, workloads } = this;
    const isNewLeaf = set.leaf !== this.set?.leaf;
    const isWritten = this.disk.writeOwn(set);
    this.set = set;
    this.world.say?.(
      `${this.id} holds roots ${rootNames(maskOf(set.bundle.roots))}, sequence ${set.bundle.sequence}, leaf ${set.leaf.serial} of root ${rootNames(set.leaf.rootBit)}${isWritten ? "" : ", not on disk"}`,
    );
    if (isNewLeaf) own.hold(set, this.world.chance());
    for (const workload of workloads) workload.publish();
    this.link.setChanged(isNewLeaf);
    this.evidenceChanged();
  }

  #anchor(verifiedBy: number, bundle: TrustBundle): HeldSet["anchor"] {
    const { fileMask } = this;
    const roots = rootsOf(fileMask);
    const file = { roots, digest: digestOf(fileMask) };
    return decideAnchor(this.set?.anchor, rootsOf(verifiedBy)[0] ?? rootAt(0), bundle.roots, file);
  }
}

function rootsOf(mask: number): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let index = 0; index < rootsMax; index++) {
    const root = rootAt(index);
    if ((mask & bitOf(root)) !== 0) all.push(root);
  }
  return all;
}
