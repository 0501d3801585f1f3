/**
 * What the server was told on one mesh stream, and so what is to be told now: everything first, then what has changed, and
 * again what it could not count. It knows no stream and no clock.
 */

import type { EvidenceReport, ProxyEvidence } from "../../core/roll/evidence.ts";
import { encodeReport, encodeTokens } from "../../edge/rpc/mesh-messages.ts";
import type { ConnectRequest } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";

/** By `proxyKey`; what has not changed since may be the same object. */
export type Evidence = ReadonlyMap<string, ProxyEvidence>;

/** All that there is to say. */
export interface Known extends Pick<EvidenceReport, "heldRootsDigest" | "unobservedReaders"> {
  readonly evidence: Evidence;
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
  #toldOfAgent = "";
  #sequence = 0n;

  /** The stream's first report, tokens before the evidence that needs them. */
  begin(known: Known): ConnectRequest[] {
    const report = { full: true, proxies: [...known.evidence.values()], gone: [] };
    return [...this.#showTokens(known.tokens), ...this.#tell(known, report)];
  }

  /** What has changed since. */
  update(known: Known): ConnectRequest[] {
    const { evidence, tokens } = known;
    const shown = this.#showTokens(tokens);
    const proxies = [...evidence].flatMap(([key, proxy]) => {
      const told = this.#told.get(key);
      return told === proxy || textOf(told) === textOf(proxy) ? [] : [proxy];
    });
    const gone = [...this.#told.keys()].filter((key) => !evidence.has(key));
    if (proxies.length === 0 && gone.length === 0 && textOf(ofAgent(known)) === this.#toldOfAgent) {
      return shown;
    }
    return [...shown, ...this.#tell(known, { full: false, proxies, gone })];
  }

  /** The server has kept nothing of these: the next update shows their tokens and their evidence again. */
  forget(spiffeIds: ReadonlySet<string>): void {
    this.#told = new Map(
      [...this.#told].map(([key, proxy]) => [
        key,
        proxy?.spiffeId !== undefined && spiffeIds.has(proxy.spiffeId) ? undefined : proxy,
      ]),
    );
    this.#shown = new Map([...this.#shown].filter(([, spiffeId]) => !spiffeIds.has(spiffeId)));
  }

  #showTokens(tokens: readonly ShownToken[]): ConnectRequest[] {
    const unseen = tokens.flatMap(({ token }) => (this.#shown.has(token) ? [] : [token]));
    this.#shown = new Map(tokens.map(({ token, spiffeId }) => [token, spiffeId]));
    return inBatches(unseen, ({ length }) => length).map(encodeTokens);
  }

  #tell(known: Known, { full, proxies, gone }: Changes): ConnectRequest[] {
    const agent = ofAgent(known);
    this.#told = known.evidence;
    this.#toldOfAgent = textOf(agent);
    const [first = [], ...others] = inBatches(proxies, (proxy) => textOf(proxy).length);
    return [
      this.#encode({ ...agent, full, proxies: first, gone }),
      ...others.map((more) => this.#encode({ ...agent, full: false, proxies: more, gone: [] })),
    ];
  }

  #encode(report: Omit<EvidenceReport, "sequence">): ConnectRequest {
    this.#sequence++;
    return encodeReport({ sequence: this.#sequence, ...report });
  }
}

type Changes = Pick<EvidenceReport, "full" | "proxies" | "gone">;

/** What each report says of the agent itself. */
function ofAgent({ heldRootsDigest, unobservedReaders }: Known) {
  return {
    ...(heldRootsDigest !== undefined && { heldRootsDigest }),
    ...(unobservedReaders !== undefined && { unobservedReaders }),
  };
}

/** The server takes messages of 64 KiB; as JSON, evidence is longer than it will be on the wire. */
const batchLengthMax = 48 * 1_024;

function inBatches<T>(all: readonly T[], lengthOf: (each: T) => number): T[][] {
  const batches: T[][] = [];
  let length = Infinity;
  for (const each of all) {
    const added = lengthOf(each);
    if (length + added > batchLengthMax) {
      batches.push([]);
      length = 0;
    }
    batches.at(-1)?.push(each);
    length += added;
  }
  return batches;
}

function textOf(value: object | undefined): string {
  const plain = (_: string, each: unknown) => (typeof each === "bigint" ? String(each) : each);
  return JSON.stringify(value, plain) ?? "";
}
