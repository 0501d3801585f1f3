/**
 * When the server is told of connections, from when it has asked for it: at once of who was not known before, otherwise after its interval;
 * and again what it has not acknowledged for long. The newest mesh stream on which it has asked takes them.
 */

import type { ConnectionReport } from "../../../core/evidence/connection.ts";
import type { ConnectionAck } from "../../../edge/rpc/connection-messages.ts";
import type { ConnectionFeed } from "./connection-feed.ts";
import type { ConnectionReporter } from "./connection-reporter.ts";

/** One mesh stream. */
export type SendConnections = (report: ConnectionReport) => void;

/** Others of the same moment are told with who is new. */
const newPauseMs = 100;
/** The server could not keep it; or it waits for its disk, and passes over what it has already. */
const againMs = 30_000;

export class ConnectionReports {
  readonly #reporter: ConnectionReporter;
  readonly #feed: ConnectionFeed;
  #send: SendConnections | undefined;
  #intervalMs = Infinity;
  #timer: NodeJS.Timeout | undefined;
  /** By the clock of timers. */
  #dueAt = Infinity;
  /** All is told, and the agent ends. */
  #onTold: (() => void) | undefined;

  constructor(reporter: ConnectionReporter, feed: ConnectionFeed) {
    this.#reporter = reporter;
    this.#feed = feed;
    feed.onNew = () => this.soon();
  }

  /** The server has asked on this stream; also once more, for another interval or for what it could not keep. */
  begin(send: SendConnections, intervalMs: number): void {
    this.#send = send;
    this.#intervalMs = intervalMs;
    this.#tell();
  }

  /** There may be something that should not wait. */
  soon(): void {
    if (this.#reporter.unacknowledged === undefined) this.#tellIn(newPauseMs);
  }

  acknowledged(ack: ConnectionAck): void {
    if (!this.#reporter.acknowledged(ack)) return;
    this.#stopWaiting();
    if (this.#reporter.isInTheMiddle || this.#onTold !== undefined) this.#tell();
    else this.#tellIn(this.#feed.hasNew ? newPauseMs : this.#intervalMs);
  }

  /** All that there is, before the agent's last word: nobody tells it later. Resolves when the server has it, or after this time. */
  async finish(timeoutMs: number): Promise<void> {
    if (this.#send === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onTold = resolve;
    const timer = setTimeout(resolve, timeoutMs);
    if (this.#reporter.unacknowledged === undefined) this.#tell();
    await promise;
    clearTimeout(timer);
    this.#onTold = undefined;
  }

  /** @param isRefused the server has ended the stream because of a message */
  end(send: SendConnections, isRefused: boolean): void {
    if (this.#send !== send) return;
    this.#send = undefined;
    this.#stopWaiting();
    this.#onTold?.();
    if (isRefused) this.#reporter.refused();
  }

  #tell(): void {
    this.#stopWaiting();
    if (this.#send === undefined) return;
    const report = this.#reporter.unacknowledged ?? this.#reporter.next();
    if (report === undefined) this.#onTold?.();
    else this.#send(report);
    this.#tellIn(report === undefined ? this.#intervalMs : againMs);
  }

  #tellIn(delayMs: number): void {
    if (this.#send === undefined) return;
    const dueAt = performance.now() + delayMs;
    if (dueAt >= this.#dueAt) return;
    this.#stopWaiting();
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.#tell(), delayMs).unref();
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer);
    this.#dueAt = Infinity;
  }
}
