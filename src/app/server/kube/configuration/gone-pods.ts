/**
 * Of whom nobody hears because their pods are gone: of each identity that is asked about the log's certificates are read now and then, and
 * compared with the pods that there are. Until it was read, nothing is known.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Pod } from "../../../../core/kube/pod.ts";
import { gonePodOf, type GonePod, type PodLeaf } from "../../../../core/kube/who/gone-pod.ts";
import { agentKey, isNodeAgentName } from "../../../../core/roll/leaf-owners.ts";
import type { CertificateIndex } from "../../../../edge/log/certificate-index.ts";

export interface GonePodsOptions {
  readonly certificates: Pick<CertificateIndex, "page">;
  readonly podOf: (name: { readonly namespace: string; readonly name: string }) => Pod | undefined;
  /** Whether it is known which pods there are. */
  readonly isListed: () => boolean;
  /** By `agentKey`. */
  readonly isConnected: (agent: string) => boolean;
  /** Of all of whom nobody hears. */
  readonly identities: () => Iterable<string>;
  readonly onFailed: (error: unknown) => void;
  readonly nowMs: () => number;
}

/** By a proxy's key, or that of one that is only expected. */
export interface GonePodsView {
  readonly of: (key: string) => GonePod | undefined;
  /** Its certificates have ended since. @param nowMs as gates have it */
  readonly hasEnded: (key: string, nowMs: number) => boolean;
}

interface Read {
  readonly atMs: number;
  readonly byAgent: ReadonlyMap<string, readonly PodLeaf[]>;
  readonly byPod: ReadonlyMap<string, readonly PodLeaf[]>;
}

const lookMs = 1_000;
const readAgainMs = 10_000;
/** Of one look: each costs some milliseconds. */
const readMax = 20;
const pageMax = 500;
/** So long after their end certificates tell whose they were. */
const keptMs = 3_600_000;

export class GonePods implements Disposable, GonePodsView {
  readonly #options: GonePodsOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #read = new Map<string, Read>();
  #isRunning = false;

  constructor(options: GonePodsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.run(), lookMs).unref();
  }

  of(key: string): GonePod | undefined {
    return this.#find(key)?.gone;
  }

  /** By what was read after that: it may have got another one meanwhile. */
  hasEnded(key: string, nowMs: number): boolean {
    const found = this.#find(key);
    if (found === undefined) return false;
    const { absentUntilMs } = found.gone;
    return absentUntilMs <= nowMs && absentUntilMs <= found.readMs;
  }

  /** Never rejects. */
  async run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      await this.#look();
    } catch (error) {
      this.#options.onFailed(error);
    } finally {
      this.#isRunning = false;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { identities, nowMs } = this.#options;
    const asked = new Set(identities());
    for (const identity of this.#read.keys()) {
      if (!asked.has(identity)) this.#read.delete(identity);
    }
    const readMs = (identity: string): number => this.#read.get(identity)?.atMs ?? -Infinity;
    const due = [...asked]
      .filter((each) => Math.abs(nowMs() - readMs(each)) >= readAgainMs)
      .toSorted((a, b) => readMs(a) - readMs(b));
    for (const identity of due.slice(0, readMax)) {
      const atMs = nowMs();
      const leaves = await this.#leavesOf(identity, atMs - keptMs);
      const byAgent = Map.groupBy(leaves, ({ agent }) => agent);
      const byPod = Map.groupBy(leaves, ({ pod }) => pod);
      this.#read.set(identity, { atMs, byAgent, byPod });
    }
  }

  async #leavesOf(identity: string, expiresAfterMs: number): Promise<readonly PodLeaf[]> {
    const leaves: PodLeaf[] = [];
    for (let from: number | undefined = 0; from !== undefined;) {
      const page = this.#options.certificates.page({ identity, expiresAfterMs }, from, pageMax);
      for (const { intent } of page.records) {
        const { artifact, agent, evidence, notAfterMs } = intent;
        if (artifact !== "workload" || agent === "" || isNodeAgentName(agent)) continue;
        leaves.push({ agent, pod: evidence.pod, podUid: evidence.podUid, notAfterMs });
      }
      from = page.next;
      await nextTurn();
    }
    return leaves;
  }

  #find(key: string): { readonly gone: GonePod; readonly readMs: number } | undefined {
    const { podOf, isListed, isConnected } = this.#options;
    if (!isListed()) return undefined;
    const { identity, agent, pod } = named(key);
    const read = this.#read.get(identity);
    if (read === undefined) return undefined;
    const all = agent === undefined ? read.byPod.get(pod) : read.byAgent.get(agent);
    const leaves = (all ?? []).filter((leaf) => !isConnected(agentKey(identity, leaf.agent)));
    const [, , , , namespace = ""] = identity.split("/");
    const gone = gonePodOf(leaves, (name) => podOf({ namespace, name })?.uid);
    return gone && { gone, readMs: read.atMs };
  }
}

interface Named {
  readonly identity: string;
  /** Of an agent's own proxy; undefined of one that is expected: then those of its pod's name are meant. */
  readonly agent?: string;
  readonly pod: string;
}

function named(key: string): Named {
  const [, identity = "", agent = "", owner = ""] = toldKey.exec(key) ?? [];
  // What a node agent serves is no pod's.
  if (agent !== "") return { identity: owner, agent: owner === identity ? agent : "", pod: "" };
  const at = key.indexOf(" ");
  return { identity: key.slice(0, at), pod: key.slice(at + 1) };
}

/** As `proxyKeyOf` makes it: a SPIFFE ID and an agent's id have no space. */
const toldKey = /^(spiffe:\/\/\S+) (\S+) (spiffe:\/\/\S+) /;
