/** A simulated process of the server: production's decisions, and between them and the streams no more than has to be. */

import type { ConnectionReport } from "../../src/core/evidence/connection.ts";
import type { MeshView } from "../../src/core/policy/mesh-view.ts";
import type { ResourceRef } from "../../src/core/resources/resource.ts";
import type { ConnectionAck } from "../../src/edge/rpc/connection-messages.ts";
import { waivedAt, type Disk, type StoredObject } from "./disk.ts";
import { FlipSight } from "./flip-sight.ts";
import { Flips } from "./flips.ts";
import type { FlipsOptions } from "./flips-options.ts";
import type { Link } from "./link.ts";
import type { SaidPolicy } from "./pod-talk.ts";
import { ServerEvidence } from "./server-evidence.ts";
import { ServerObjects } from "./server-objects.ts";
import { ServerPolicy } from "./server-policy.ts";
import { ServerStreams, type StreamsOf } from "./server-streams.ts";
import { ServerPresence, reporterOf } from "./server-presence.ts";
import { Soon } from "./soon.ts";

export interface ServerSurroundings
  extends
    Pick<FlipsOptions, "nowMs" | "later" | "delayMs" | "onDurable">,
    Omit<StreamsOf, "policy"> {
  readonly disk: Disk;
  readonly hasCertificate: (name: string) => boolean;
}

const groupMs = 50;
const lookMs = 2_000;
/** How well it is known when a server that was killed was last at work. */
const knownMs = 10_000;
/** No flip is looked at oftener. */
const paceMs = 250;

export class Server {
  readonly policy: ServerPolicy = new ServerPolicy();
  readonly evidence: ServerEvidence;
  readonly sight: FlipSight;
  readonly flips: Flips;
  readonly #around: ServerSurroundings;
  readonly #streams: ServerStreams;
  readonly #presence: ServerPresence;
  readonly #publishing: Soon;
  readonly #writing: Soon;
  readonly #looking: Soon;
  readonly #objects: ServerObjects;

  constructor(around: ServerSurroundings) {
    this.#around = around;
    const { policy } = this;
    const { disk, hasCertificate, nowMs, later } = around;
    const soon = (ms: number, work: () => void): Soon => new Soon((it) => later(ms, it), work);
    this.#objects = new ServerObjects(around, (ref, stored) => {
      if (stored === undefined) policy.delete(ref);
      else policy.set(stored.object, hasCertificate);
      this.evidence.changed(ref);
      this.#changed();
    });
    this.#streams = new ServerStreams({ ...around, policy });
    this.#publishing = soon(0, () => this.#streams.publish());
    this.#looking = soon(paceMs, () => this.flips.look());
    this.#writing = soon(groupMs, () => {
      this.evidence.write();
      this.#looking.ask();
    });
    for (const { object } of disk.objects.values()) policy.set(object, hasCertificate);
    this.evidence = new ServerEvidence({ disk, nowMs, onWaiting: () => this.#writing.ask() });
    for (const { object } of disk.objects.values()) this.evidence.changed(object.object.ref);
    const { evidence } = this;
    this.#presence = new ServerPresence({
      policy,
      evidence,
      hasCertificate,
      end: (name) => this.goodbye(name),
    });
    const view = (): MeshView => this.view;
    const waived = (): ReadonlySet<string> => waivedAt(disk, nowMs());
    this.sight = new FlipSight({ disk, evidence, policy, view, waived, nowMs });
    const put: FlipsOptions["put"] = (ref, object) => this.put(ref, object);
    const hold: FlipsOptions["hold"] = (holds) => {
      policy.index.hold(holds);
      this.#publishing.ask();
    };
    const hurry: FlipsOptions["hurry"] = (flip, names) => this.#streams.hurry(flip, names);
    this.flips = new Flips({ ...around, sight: this.sight, view, hold, hurry, put });
    this.#eachTime(lookMs, () => {
      this.#presence.look();
      this.#changed();
    });
    this.#eachTime(knownMs, () => this.#writing.ask());
  }

  get nowMs(): number {
    return this.#around.nowMs();
  }

  get view(): MeshView {
    return this.#objects.view;
  }

  /** By an operator, or by a flip. @throws crash */
  put(ref: ResourceRef, stored: StoredObject | undefined): void {
    this.#objects.put(ref, stored);
  }

  accept(name: string, link: Link): void {
    this.#streams.accept(name, link);
  }

  closed(name: string, link: Link): void {
    if (!this.#streams.isOpen(name, link)) return;
    this.#streams.close(name);
    this.#changed();
  }

  policyReport(name: string, link: Link, said: SaidPolicy): void {
    if (!this.#streams.isOpen(name, link)) return;
    this.#presence.heard(name, said, link.policies);
    this.#changed();
  }

  connectionReport(
    name: string,
    link: Link,
    report: ConnectionReport,
    onAck: (ack: ConnectionAck) => void,
  ): void {
    if (!this.#streams.isOpen(name, link)) return;
    this.evidence.take(reporterOf(name), report, onAck);
  }

  goodbye(name: string): void {
    this.#streams.close(name);
    this.#presence.left(name);
    this.#changed();
  }

  #changed(): void {
    this.#publishing.ask();
    this.#looking.ask();
  }

  #eachTime(ms: number, work: () => void): void {
    this.#around.later(ms, () => {
      work();
      this.#eachTime(ms, work);
    });
  }
}
