/**
 * Which proxies may use what this agent has given out. On disk, since the agent's end is the end of every stream, and they live
 * on: a server that was restarted, too, would take a proxy that is not back yet for one that never was.
 */

import { join } from "node:path";
import { proxyKey, type HeldCertificate, type ProxyEvidence } from "../../core/roll/evidence.ts";
import { PrivateFileError, readPrivateFile } from "../../edge/config/private-files.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import type { Evidence } from "./mesh-report.ts";
import { nodeIdLengthMax } from "./proxy-evidence.ts";
import {
  encodeRemembered,
  evidenceAway,
  evidenceHere,
  namesOf,
  parseRemembered,
  seen,
  type RememberedProxy,
  type StoredProxy,
} from "./remembered-proxy.ts";
import { StateFile } from "./state-file.ts";
import { StateFileError } from "./workload-set.ts";

export interface ProxyMemoryOptions {
  readonly stateDir: string;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
}

const fileName = "proxies.json";
const fileBytesMax = 32 * 1_048_576;
const awayMax = 4_096;
/** Of one identity: one or sixty-four, an operator has the same to do. */
const awayOfOneMax = 64;
/** More of one identity the server takes from no agent, those that are here included. */
const ofOneMax = 256;
/** Between two writes: a node's workloads renew in quick succession. */
const pauseMs = 250;

export class ProxyMemory {
  readonly #options: ProxyMemoryOptions;
  /** By `proxyKey`. */
  readonly #proxies: Map<string, RememberedProxy>;
  readonly #file: StateFile;

  private constructor(options: ProxyMemoryOptions, stored: readonly RememberedProxy[]) {
    this.#options = options;
    this.#proxies = new Map(stored.map((each) => [proxyKey(each.evidence), each]));
    this.#file = new StateFile({
      path: join(options.stateDir, fileName),
      encode: () => this.#encode(),
      onFailure: (error) => options.events.stateNotWritten(error),
      pauseMs,
    });
  }

  static async open(options: ProxyMemoryOptions): Promise<ProxyMemory> {
    return new ProxyMemory(options, await readStored(options));
  }

  /** A certificate goes out to it. @param proxy of which, at a node agent, the workload is named, too */
  sent(proxy: Pick<ProxyEvidence, "proxyId" | "spiffeId">, certificate: HeldCertificate): void {
    if (proxy.proxyId === "" || proxy.proxyId.length > nodeIdLengthMax) return;
    const evidence = { ...proxy, subscriptions: [] };
    const key = proxyKey(evidence);
    const known: RememberedProxy = this.#proxies.get(key) ?? { evidence, lapsed: [] };
    const { serialHex, notAfterMs } = certificate;
    // It may still have an older one that ends later.
    if (known.sent !== undefined && known.sent.notAfterMs >= notAfterMs) return;
    const sent = { serialHex, notAfterMs, atMs: this.#options.nowMs() };
    this.#proxies.set(key, { ...known, sent });
    this.#file.write();
  }

  /**
   * Asked after each change of who is here.
   * @returns by `proxyKey` what those have besides whose streams are down, and who is away
   */
  look(here: Evidence): Evidence {
    const nowMs = this.#options.nowMs();
    const remembered = new Map<string, ProxyEvidence>();
    for (const [key, evidence] of here) {
      if (evidence.weak === true) continue;
      const known = this.#proxies.get(key);
      const proxy = seen(known, evidence, nowMs);
      this.#proxies.set(key, proxy);
      if (proxy.sent !== undefined && hasOtherNames(known, proxy)) this.#file.write();
      const more = evidenceHere(proxy, nowMs);
      if (more !== undefined) remembered.set(key, more);
    }
    const away = [...this.#proxies].filter(([key]) => !here.has(key));
    const room = new Room(here);
    for (const [key, proxy] of away.toSorted(lastFirst)) {
      const evidence = evidenceAway(proxy, nowMs);
      if (evidence !== undefined && room.take(evidence)) remembered.set(key, evidence);
      else this.#proxies.delete(key);
    }
    return remembered;
  }

  /** Resolves when all is on disk, or was tried once more. */
  async settled(): Promise<void> {
    await this.#file.settled();
  }

  /** The workload ends, and its proxies with it. @throws what the file system says */
  async destroy(): Promise<void> {
    await this.#file.destroy();
  }

  #encode(): Uint8Array {
    const proxies = [...this.#proxies.values()].flatMap((each) => encodeRemembered(each) ?? []);
    return Buffer.from(JSON.stringify({ version: 1, proxies }));
  }
}

/** For those that are away. */
class Room {
  readonly #here = new Map<string, number>();
  readonly #away = new Map<string, number>();
  #left = awayMax;

  constructor(here: Evidence) {
    for (const { spiffeId = "" } of here.values()) {
      this.#here.set(spiffeId, (this.#here.get(spiffeId) ?? 0) + 1);
    }
  }

  take({ spiffeId = "" }: ProxyEvidence): boolean {
    const away = this.#away.get(spiffeId) ?? 0;
    const max = Math.min(awayOfOneMax, ofOneMax - (this.#here.get(spiffeId) ?? 0));
    if (away >= max || this.#left === 0) return false;
    this.#away.set(spiffeId, away + 1);
    this.#left -= 1;
    return true;
  }
}

type Entry = readonly [string, RememberedProxy];

function lastFirst([, a]: Entry, [, b]: Entry): number {
  return (b.sent?.notAfterMs ?? 0) - (a.sent?.notAfterMs ?? 0);
}

function hasOtherNames(before: RememberedProxy | undefined, now: RememberedProxy): boolean {
  if (before === now) return false;
  return before === undefined || namesOf(before).join(" ") !== namesOf(now).join(" ");
}

/** What cannot be read is reported. */
async function readStored({
  stateDir,
  events,
}: ProxyMemoryOptions): Promise<readonly RememberedProxy[]> {
  const path = join(stateDir, fileName);
  try {
    const bytes = await readPrivateFile(path, fileBytesMax);
    return parseStored(JSON.parse(Buffer.from(bytes).toString()));
  } catch (cause) {
    if (cause instanceof PrivateFileError && cause.code === "file-missing") return [];
    const message = `${path} is no list of proxies`;
    events.stateUnreadable(new StateFileError("state-file-malformed", message, { cause }));
    return [];
  }
}

/** @throws TypeError */
function parseStored(document: unknown): RememberedProxy[] {
  const { version, proxies } = document as { version: unknown; proxies: readonly StoredProxy[] };
  if (version !== 1) throw new TypeError(`expected version 1, got ${String(version)}`);
  return proxies.map(parseRemembered);
}
