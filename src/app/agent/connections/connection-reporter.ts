/**
 * What the server is told of connections, and when: one report that it has not acknowledged, and the same one again until it has. It
 * knows no stream and no timer.
 */

import type { ConnectionReport } from "../../../core/evidence/connection.ts";
import { policyKey } from "../../../core/policy/policy-report.ts";
import { connectionBatches } from "../../../edge/rpc/connection-batches.ts";
import type { ConnectionAck } from "../../../edge/rpc/connection-messages.ts";
import type { ConnectionFeed } from "./connection-feed.ts";
import type { CountedConnections } from "./connection-recorder.ts";

export interface ConnectionReporterOptions {
  readonly feed: ConnectionFeed;
  /** Random, 16 octets in lower-case hex, of this life of the agent. */
  readonly runId: string;
  /** It is durable at the server. */
  readonly onAcknowledged: (connections: readonly CountedConnections[]) => void;
}

/** What is dropped is a gap. */
const refusalsMax = 3;

interface Sent extends ConnectionReport {
  readonly proxies: readonly CountedConnections[];
}

export class ConnectionReporter {
  readonly #options: ConnectionReporterOptions;
  #sequence = 0;
  #sent: Sent | undefined;
  #refusals = 0;
  /** Of what was taken from the feed: one report each. */
  #next: CountedConnections[][] = [];

  constructor(options: ConnectionReporterOptions) {
    this.#options = options;
  }

  /** It is to be sent again on a new stream. */
  get unacknowledged(): ConnectionReport | undefined {
    return this.#sent;
  }

  /** More of what was taken is to be sent at once. */
  get isInTheMiddle(): boolean {
    return this.#next.length > 0;
  }

  /** @returns undefined if there is nothing to tell, or one is not acknowledged yet */
  next(): ConnectionReport | undefined {
    if (this.#sent !== undefined) return undefined;
    const { feed, runId } = this.#options;
    if (this.#next.length === 0) this.#next = connectionBatches(feed.take());
    const proxies = this.#next.shift();
    if (proxies === undefined) return undefined;
    this.#sequence += 1;
    this.#sent = { runId, sequence: this.#sequence, proxies };
    this.#refusals = 0;
    return this.#sent;
  }

  /** The server has ended a stream because of a message, perhaps of this one: a report is not to keep all else from it for ever. */
  refused(): void {
    this.#refusals += 1;
    if (this.#refusals >= refusalsMax) this.#sent = undefined;
  }

  /** @returns whether it was the one that is waited for */
  acknowledged({ runId, sequence, unproven }: ConnectionAck): boolean {
    const sent = this.#sent;
    if (sent?.sequence !== sequence || sent.runId !== runId) return false;
    this.#sent = undefined;
    const dropped = new Set<string | undefined>(unproven);
    const isDropped = ({ spiffeId }: CountedConnections): boolean => dropped.has(spiffeId);
    const putBack = sent.proxies.filter(isDropped);
    this.#options.feed.putBack([...putBack, ...this.#later(putBack)]);
    this.#options.onAcknowledged(sent.proxies.filter((each) => !isDropped(each)));
    return true;
  }

  /** Of the same Envoys, what was to be sent next: it may cover the time of callers who are to be told first. */
  #later(putBack: readonly CountedConnections[]): CountedConnections[] {
    const keys = new Set(putBack.map(policyKey));
    const isLater = (each: CountedConnections): boolean => keys.has(policyKey(each));
    const later = this.#next.flat().filter(isLater);
    const rest = this.#next.map((report) => report.filter((each) => !isLater(each)));
    this.#next = rest.filter((report) => report.length > 0);
    return later;
  }
}
