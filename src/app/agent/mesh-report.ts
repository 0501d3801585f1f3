/**
 * What the server was told on one mesh stream, and so what is to be told now: everything first, then what has changed, and
 * again what it could not count. It knows no stream and no clock.
 */

import type { EvidenceReport, ProxyEvidence } from "../../core/roll/evidence.ts";
import { encodeReport, encodeTokens } from "../../edge/rpc/mesh-messages.ts";
import type { ConnectRequest } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { inBatches, textOf } from "./report-batches.ts";

/** By `proxyKey`; what has not changed since may be the same object. */
export type Evidence = ReadonlyMap<string, ProxyEvidence>;

/** All that there is to say. */
export interface Known extends OfAgent {
  readonly evidence: Evidence;
  /**
   * What a server that has forgotten it must know besides: proxies that are away, and those that are here as they were when a
   * stream of theirs was not down.
   */
  readonly remembered?: Evidence;
  /** For whom else a node agent speaks. */
  readonly tokens: readonly ShownToken[];
}

/** For whom else a node agent speaks. */
export interface ShownToken {
  readonly spiffeId: string;
  readonly token: string;
}

export class MeshReport {
  /** Undefined for what the server has not kept: it is told again, and that it is gone, too. */
  #told: ReadonlyMap<string, ProxyEvidence | undefined> = new Map();
  /** By token, whose it is. */
  #shown: ReadonlyMap<string, string> = new Map();
  /** Who is away by what was told, and whose proxy it is. */
  #away: ReadonlyMap<string, string | undefined> = new Map();
  #toldOfAgent: OfAgent = {};
  #sequence = 0n;

  /** The stream's first report, tokens before the evidence that needs them. */
  begin(known: Known): ConnectRequest[] {
    const proxies = [...known.evidence].map(([key, proxy]) => known.remembered?.get(key) ?? proxy);
    const changes = { full: true, proxies, gone: [] };
    return [...this.#showTokens(known.tokens), ...this.#tell(known, changes)];
  }

  /** What has changed since. */
  update(known: Known): ConnectRequest[] {
    const { evidence, tokens, remembered } = known;
    const shown = this.#showTokens(tokens);
    const proxies = [...evidence].flatMap(([key, proxy]) => {
      const told = this.#told.get(key);
      if (told === undefined)
        return [(this.#away.has(key) ? undefined : remembered?.get(key)) ?? proxy];
      return told === proxy || textOf(told) === textOf(proxy) ? [] : [proxy];
    });
    const gone = [...this.#told.keys()].filter((key) => !evidence.has(key));
    const isNews = proxies.length > 0 || gone.length > 0 || this.#leaving(known).size > 0;
    if (!isNews && textOf(ofAgent(known)) === textOf(this.#toldOfAgent)) return shown;
    return [...shown, ...this.#tell(known, { full: false, proxies, gone })];
  }

  /** The server has kept nothing of these: the next update shows their tokens and their evidence again. */
  forget(spiffeIds: ReadonlySet<string>): void {
    const isOf = (spiffeId: string | undefined) =>
      spiffeId !== undefined && spiffeIds.has(spiffeId);
    this.#told = new Map(
      [...this.#told].map(([key, proxy]) => [key, isOf(proxy?.spiffeId) ? undefined : proxy]),
    );
    this.#away = new Map([...this.#away].filter(([, spiffeId]) => !isOf(spiffeId)));
    this.#shown = new Map([...this.#shown].filter(([, spiffeId]) => !spiffeIds.has(spiffeId)));
  }

  #showTokens(tokens: readonly ShownToken[]): ConnectRequest[] {
    const unseen = tokens.flatMap(({ token }) => (this.#shown.has(token) ? [] : [token]));
    this.#shown = new Map(tokens.map(({ token, spiffeId }) => [token, spiffeId]));
    return inBatches(unseen, ({ length }) => length).map(encodeTokens);
  }

  /** Who is away and was not told to be. */
  #leaving({ evidence, remembered = new Map() }: Known): Map<string, ProxyEvidence> {
    const isNews = (key: string) => !evidence.has(key) && !this.#away.has(key);
    return new Map([...remembered].filter(([key]) => isNews(key)));
  }

  #tell(known: Known, { full, proxies, gone }: Changes): ConnectRequest[] {
    const { evidence, remembered = new Map() } = known;
    const leaving = this.#leaving(known);
    const left = gone.filter((key) => !leaving.has(key));
    const all = inBatches([...proxies, ...leaving.values()], (proxy) => textOf(proxy).length);
    const [first = [], ...others] = all;
    const reports: Changes[] = [
      { full, proxies: first, gone: left },
      ...others.map((more) => ({ full: false, proxies: more, gone: [] })),
      // After what they had, in a report of its own: a server may read the end of a report first.
      ...inBatches([...leaving.keys()], ({ length }) => length).map((keys) => {
        return { full: false, proxies: [], gone: keys };
      }),
    ];
    this.#told = evidence;
    const away = [...remembered].filter(([key]) => !evidence.has(key));
    this.#away = new Map(away.map(([key, { spiffeId }]) => [key, spiffeId]));
    // Whoever holds the present bundle is confirmed by it, once all of its proxies are told.
    const before = this.#toldOfAgent;
    this.#toldOfAgent = ofAgent(known);
    return reports.map((report, at) =>
      this.#encode({ ...(at === reports.length - 1 ? this.#toldOfAgent : before), ...report }),
    );
  }

  #encode(report: Omit<EvidenceReport, "sequence">): ConnectRequest {
    this.#sequence++;
    return encodeReport({ sequence: this.#sequence, ...report });
  }
}

type OfAgent = Pick<EvidenceReport, "heldRootsDigest" | "heldBundleSequence" | "unobservedReaders">;
type Changes = Pick<EvidenceReport, "full" | "proxies" | "gone">;

/** What each report says of the agent itself. */
function ofAgent({ heldRootsDigest, heldBundleSequence, unobservedReaders }: Known): OfAgent {
  return {
    ...(heldRootsDigest !== undefined && { heldRootsDigest }),
    ...(heldBundleSequence !== undefined && { heldBundleSequence }),
    ...(unobservedReaders !== undefined && { unobservedReaders }),
  };
}
