/**
 * Pods that have ended, as a goodbye of the agents that ran in them: their verifiers are gone. It stands in the log before it counts. Only
 * what is certain counts: a name that comes again is another pod, and whoever is deleted by force may go on until its certificates end.
 */

import { LRUCache } from "lru-cache";
import { setImmediate as nextTurn } from "node:timers/promises";
import { hasEnded, type Pod } from "../../../../core/kube/pod.ts";
import type { ObjectChange } from "../../../../core/kube/object-cache.ts";
import type { Reporter } from "../../../../core/roll/evidence.ts";
import { agentKey, type LeavingAgent } from "../../../../core/roll/leaf-owners.ts";
import type { CertificateIndex } from "../../../../edge/log/certificate-index.ts";
import { goodbyeEvent } from "../../mesh/goodbye-event.ts";
import type { LogEvent } from "../../log/log-keeper.ts";
import { endedAgents, type EndedAgent, type IssuedToPod } from "./leaving-pods.ts";

export interface PodFarewellsOptions {
  readonly trustDomain: string;
  readonly certificates: Pick<CertificateIndex, "page">;
  /** Durable when it resolves. @throws LogError */
  readonly record: (event: LogEvent) => Promise<void>;
  /** Whether it was said with this certificate already. */
  readonly hasSaid: (serialHex: string) => boolean;
  readonly isConnected: (agent: Reporter) => boolean;
  /** It stands in the log. */
  readonly gone: (agent: Reporter, leaving: LeavingAgent) => void;
  readonly onFailed: (identity: string, error: unknown) => void;
  readonly nowMs: () => number;
}

/** By identity, then by UID: how often it was looked for. */
type Ended = Map<string, Map<string, number>>;

const gatherMs = 1_000;
const pageMax = 500;
/** A stream is seen to be dead some time after its pod; and a disk may be full. */
const triesMax = 120;
/** Of all; whoever is not looked for is waited for until its certificates end. */
const endedMax = 50_000;
const writtenMax = 16_384;

export class PodFarewells implements Disposable {
  readonly #options: PodFarewellsOptions;
  readonly #timer: NodeJS.Timeout;
  /** By agent: up to which certificate its goodbye was written here. */
  readonly #written = new LRUCache<string, number>({ max: writtenMax });
  #ended: Ended = new Map();
  #count = 0;
  #isRunning = false;

  constructor(options: PodFarewellsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.run(), gatherMs).unref();
  }

  take(changes: readonly ObjectChange<Pod>[]): void {
    for (const { before, after } of changes) {
      if (before === undefined || after !== undefined || !hasEnded(before)) continue;
      const { namespace, serviceAccount, uid } = before;
      this.#add(
        `spiffe://${this.#options.trustDomain}/ns/${namespace}/sa/${serviceAccount}`,
        uid,
        0,
      );
    }
  }

  /** Never rejects. */
  async run(): Promise<void> {
    if (this.#isRunning || this.#ended.size === 0) return;
    this.#isRunning = true;
    const due = this.#ended;
    this.#ended = new Map();
    this.#count = 0;
    for (const [identity, uids] of due) {
      try {
        if (!(await this.#leave(identity, new Set(uids.keys())))) this.#again(identity, uids);
      } catch (error) {
        this.#options.onFailed(identity, error);
        this.#again(identity, uids);
      }
    }
    this.#isRunning = false;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** @returns whether nobody of them is left */
  async #leave(identity: string, uids: ReadonlySet<string>): Promise<boolean> {
    const { hasSaid, isConnected, record, gone } = this.#options;
    let isDone = true;
    for (const ended of endedAgents(await this.#issuedTo(identity), uids)) {
      const key = agentKey(identity, ended.agent);
      const isSaid = ended.lastIndex <= (this.#written.get(key) ?? -1);
      if (isSaid || ended.serials.some(hasSaid)) continue;
      const reporter = { spiffeId: identity, agentId: ended.agent };
      // Its last words may be on their way; and one whose state outlives it is there again.
      if (!ended.livesOn && isConnected(reporter)) {
        isDone = false;
        continue;
      }
      const leaving = leavingOf(identity, ended);
      await record(goodbyeEvent(leaving));
      this.#written.set(key, leaving.lastIndex);
      if (!ended.livesOn && !isConnected(reporter)) gone(reporter, leaving);
    }
    return isDone;
  }

  async #issuedTo(identity: string): Promise<readonly IssuedToPod[]> {
    const { certificates, nowMs } = this.#options;
    const issued: IssuedToPod[] = [];
    const filter = { identity, expiresAfterMs: nowMs() };
    for (let from: number | undefined = 0; from !== undefined;) {
      const page = certificates.page(filter, from, pageMax);
      issued.push(...page.records);
      from = page.next;
      await nextTurn();
    }
    return issued;
  }

  #again(identity: string, uids: ReadonlyMap<string, number>): void {
    for (const [uid, tries] of uids) if (tries < triesMax) this.#add(identity, uid, tries + 1);
  }

  #add(identity: string, uid: string, tries: number): void {
    if (this.#count >= endedMax) return;
    const uids = this.#ended.get(identity) ?? new Map<string, number>();
    this.#ended.set(identity, uids.set(uid, tries));
    this.#count++;
  }
}

function leavingOf(spiffeId: string, { agent, lastIndex }: EndedAgent): LeavingAgent {
  return { spiffeId, agent, lastIndex };
}
