/**
 * An agent: a sidecar's, with one identity, or a node's, with one of its own and its workloads'. It decides by production code which
 * bundle it holds and which roots it verifies the server with; here are only its disk and what it does.
 */

import type { HeldCertificate, ProxyEvidence } from "../../src/core/roll/evidence.ts";
import { decideReplyBundle, decideStreamBundle } from "../../src/core/trust/held-bundle.ts";
import { trustBundle, type TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { AgentDisk, type HeldLeaf, type HeldSet } from "./agent-disk.ts";
import { anchorOf, dialledAnchor, serverMask } from "./agent-server.ts";
import type { CsrReply } from "./csr-client.ts";
import { Machine } from "./machine.ts";
import type { HeldBundle, MeshLink } from "./mesh-link.ts";
import { Pipe } from "./pipe.ts";
import { ProxyMemory } from "./proxy-memory.ts";
import type { ChannelOwner, SdsChannel } from "./sds-channel.ts";
import { bitOf, digestOf, maskOf, rootNames } from "./symbols.ts";
import type { Workload } from "./workload.ts";
import type { World } from "./world.ts";

export class Agent extends Machine implements ChannelOwner {
  readonly isNode: boolean;
  /** Chosen once; another one after the disk was lost. */
  id: string;
  /** An operator has waived it. */
  isExcepted = false;
  /** In memory; on disk unless that was full. */
  set: HeldSet | undefined;
  /** Roots of the operator's file for the server. */
  fileMask = 0;
  readonly disk: AgentDisk = new AgentDisk();
  readonly memory: ProxyMemory = new ProxyMemory();
  /** Changes on their way to the disk, one after the other. */
  readonly writes: Pipe<() => void>;
  /** Its own first. */
  workloads: readonly Workload[] = [];
  link!: MeshLink;
  #streams = 0n;
  #lives = 0;

  constructor(world: World, id: string, isNode: boolean) {
    super(world);
    this.id = id;
    this.isNode = isNode;
    this.writes = new Pipe(
      () => this.isServing,
      (write) => write(),
    );
  }

  get bundle(): TrustBundle | undefined {
    return this.set?.bundle;
  }

  get own(): Workload {
    const [own] = this.workloads;
    if (own === undefined) throw new Error("an agent without an identity");
    return own;
  }

  /** What it would have after a restart. */
  get heldBundle(): HeldBundle {
    const held = this.disk.own?.bundle;
    if (held === undefined) return {};
    const { sequence, roots } = held;
    return { heldRootsDigest: digestOf(maskOf(roots)), heldBundleSequence: sequence };
  }

  get isValid(): boolean {
    return this.set !== undefined && this.agentMs < this.set.leaf.notAfterMs;
  }

  /** A node agent asks for others with its own certificate. */
  mayAsk(workload: Workload): boolean {
    return workload === this.own || this.isValid;
  }

  nextStreamId(): bigint {
    return ++this.#streams;
  }

  sent(channel: SdsChannel, proxyId: string, certificate: HeldCertificate): void {
    const workload = this.workloads.find((each) => each.channel === channel);
    const spiffeId = this.isNode ? workload?.identity : undefined;
    const proxy = { proxyId, ...(spiffeId !== undefined && { spiffeId }) };
    this.memory.sent(proxy, certificate, this.agentMs);
  }

  evidenceChanged(): void {
    this.link.evidenceChanged();
  }

  acceptsServer(): boolean {
    return (serverMask(this) & this.world.server.own.rootBit) !== 0;
  }

  /** The mesh stream is open. */
  dialled(): void {
    this.writes.send(() => {
      const anchor = dialledAnchor(this);
      if (anchor !== undefined && this.set !== undefined) this.#take({ ...this.set, anchor });
    });
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
    const verifiedBy = this.world.server.own.rootBit;
    const trusted = this.bundle?.roots ?? [];
    this.writes.send(() => {
      if (workload === this.own) {
        const came = trustBundle(this.world.trustDomain, 0n, roots);
        const above = roots.filter((root) => bitOf(root) === leaf.rootBit);
        const isExpired = this.set !== undefined && this.set.leaf.notAfterMs <= this.agentMs;
        const { bundle } = decideReplyBundle(this.bundle, came, above, isExpired);
        this.#take({ ...held, bundle, anchor: anchorOf(this, verifiedBy, bundle, trusted) });
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
      workload.channel.tick();
      if (workload.client.giveUp(this.nowMs)) this.world.struck("call-lost", workload.identity);
    }
  }

  start(): void {
    this.link.begin();
    this.isAlive = true;
    this.isFrozen = false;
    this.set = this.disk.own;
    this.memory.reload();
    for (const workload of this.workloads) {
      const held = workload === this.own ? this.set : this.#storedOf(workload);
      if (held !== undefined) workload.hold(held, this.world.chance());
      if (workload !== this.own || this.isValid) workload.publish();
    }
  }

  /** Without a valid certificate of its own, under the bundle's roots only. */
  #storedOf({ identity }: Workload): HeldLeaf | undefined {
    const held = this.disk.workloads.get(identity);
    if (held === undefined || this.isValid || this.bundle === undefined) return held;
    return (maskOf(this.bundle.roots) & held.leaf.rootBit) === 0 ? undefined : held;
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
    this.world.say?.(`${this.id} holds ${describe(set)}${isWritten ? "" : ", not on disk"}`);
    if (isNewLeaf) own.hold(set, this.world.chance());
    for (const workload of workloads) workload.publish();
    this.link.setChanged(isNewLeaf);
    this.evidenceChanged();
  }
}

function describe({ leaf, bundle }: HeldSet): string {
  const roots = rootNames(maskOf(bundle.roots));
  return `roots ${roots}, sequence ${bundle.sequence}, leaf ${leaf.serial} of root ${rootNames(leaf.rootBit)}`;
}
