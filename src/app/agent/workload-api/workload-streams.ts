/**
 * The open streams of the Workload API. Each gets its first message at once and another whenever
 * that would be a different one; all end at the moment when the certificate expires. A reader that
 * is slow gets the newest state when it has taken the last, and nothing of what was in between.
 */

import { toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { ServerWritableStream } from "@grpc/grpc-js";
import { validationSecretName } from "../../../core/envoy/secret.ts";
import type { ProxyEvidence, SubscriptionEvidence } from "../../../core/roll/evidence.ts";
import type { TrustBundle } from "../../../core/spiffe/trust-bundle.ts";
import type { BundleReader } from "../bundle-readers.ts";
import type { WorkloadSet } from "../workload-set.ts";
import { internalError, statusOf, WorkloadApiRefusal, type Status } from "./refusal.ts";

export interface WorkloadStreamsOptions {
  /** Undefined while there is none that is valid. */
  readonly set: () => WorkloadSet | undefined;
  readonly nowMs: () => number;
  readonly streamsMax: number;
  readonly onProblem: (error: unknown) => void;
  /** Somebody who listens for whom to trust. */
  readonly listen: () => BundleReader;
  /** What the open streams were given has changed. */
  readonly onEvidence: () => void;
}

/** What one kind of stream says. */
export interface StreamContent<M extends DescMessage> {
  readonly schema: M;
  readonly respond: (set: WorkloadSet) => MessageShape<M>;
  /** What a reader of it holds; undefined where that is nobody's trust in certificates. */
  readonly holds?: (set: WorkloadSet, atMs: number) => readonly Holding[];
}

export type Holding = Omit<SubscriptionEvidence, "streamId">;

interface OpenStream {
  readonly id: bigint;
  readonly end: (status: Status) => void;
  /** @returns false if that is what was sent last */
  readonly write: (set: WorkloadSet, onTaken: () => void) => boolean;
  readonly holds: ((set: WorkloadSet, atMs: number) => readonly Holding[]) | undefined;
  readonly reader: BundleReader | undefined;
  /** Undefined before the first message was taken. */
  given: readonly Holding[] | undefined;
  /** In the message that was taken last. */
  bundle: TrustBundle | undefined;
  isWriting: boolean;
  /** Something has changed since the message that is being taken. */
  isBehind: boolean;
}

/** Looked at again at least so often, since a suspended machine's timers sleep with it. */
const longestTimerMs = 30_000;

export class WorkloadStreams implements Disposable {
  readonly #options: WorkloadStreamsOptions;
  readonly #streams = new Set<OpenStream>();
  #timer: NodeJS.Timeout | undefined;
  #opened = 0n;

  constructor(options: WorkloadStreamsOptions) {
    this.#options = options;
  }

  /** @throws WorkloadApiRefusal `workload-overloaded` */
  open<M extends DescMessage>(
    call: ServerWritableStream<unknown, MessageShape<M>>,
    content: StreamContent<M>,
  ): void {
    const { streamsMax, listen, onEvidence } = this.#options;
    if (this.#streams.size >= streamsMax) {
      throw new WorkloadApiRefusal("workload-overloaded", "too many streams");
    }
    const reader = content.holds && listen();
    const stream = openStream(call, content, ++this.#opened, reader);
    const close = (): void => {
      if (this.#streams.delete(stream)) this.#closed(stream);
    };
    for (const event of ["error", "cancelled", "close"]) call.on(event, close);
    this.#streams.add(stream);
    const set = this.#options.set();
    this.#update(stream, set);
    this.#watchExpiry(set);
    onEvidence();
  }

  /** By proxy: each stream is one, which acknowledges nothing. What was taken is what it holds. */
  evidence(): ProxyEvidence[] {
    return [...this.#streams].flatMap(({ id, given, reader }) => {
      if (reader === undefined) return [];
      const all = given ?? [{ resourceName: validationSecretName }];
      const subscriptions = all.map((each) => ({ streamId: id, ...each }));
      return [{ proxyId: `workload-api-${id}`, subscriptions, weak: true as const }];
    });
  }

  /** There is another certificate or bundle, or none any more. */
  setChanged(): void {
    // Asked for once: one that expires between two looks would be watched by nobody.
    const set = this.#options.set();
    for (const stream of this.#streams) this.#update(stream, set);
    this.#watchExpiry(set);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #update(stream: OpenStream, set: WorkloadSet | undefined): void {
    try {
      if (set === undefined) throw noIdentity();
      stream.isBehind = stream.isWriting;
      if (stream.isWriting) return;
      stream.isWriting = stream.write(set, () => {
        stream.isWriting = false;
        this.#taken(stream, set);
        if (!stream.isBehind || !this.#streams.has(stream)) return;
        this.#update(stream, this.#options.set());
      });
      // The same content, of a later bundle.
      const isLater = stream.bundle !== undefined && stream.bundle !== set.bundle;
      if (!stream.isWriting && isLater) this.#taken(stream, set);
    } catch (error) {
      const status = statusOf(error);
      if (status === undefined) this.#options.onProblem(error);
      if (this.#streams.delete(stream)) this.#closed(stream);
      stream.end(status ?? internalError);
    }
  }

  #taken(stream: OpenStream, set: WorkloadSet): void {
    const { nowMs, onEvidence } = this.#options;
    stream.given = stream.holds?.(set, nowMs());
    stream.bundle = set.bundle;
    stream.reader?.took(set);
    // What has reached a reader that was gone before was taken all the same.
    if (!this.#streams.has(stream)) stream.reader?.left();
    onEvidence();
  }

  #closed({ reader }: OpenStream): void {
    reader?.left();
    this.#options.onEvidence();
  }

  #watchExpiry(set: WorkloadSet | undefined): void {
    clearTimeout(this.#timer);
    if (set === undefined || this.#streams.size === 0) return;
    const leftMs = set.certificate.notAfterMs - this.#options.nowMs();
    const delayMs = Math.min(leftMs, longestTimerMs);
    this.#timer = setTimeout(() => this.setChanged(), delayMs).unref();
  }
}

export function noIdentity(): WorkloadApiRefusal {
  return new WorkloadApiRefusal(
    "workload-identity-missing",
    "the agent has no valid certificate (yet): try again",
  );
}

function openStream<M extends DescMessage>(
  call: ServerWritableStream<unknown, MessageShape<M>>,
  { schema, respond, holds }: StreamContent<M>,
  id: bigint,
  reader: BundleReader | undefined,
): OpenStream {
  let sent: Uint8Array | undefined;
  return {
    id,
    holds,
    reader,
    given: undefined,
    bundle: undefined,
    isWriting: false,
    isBehind: false,
    end: (status) => call.emit("error", status),
    write: (set, onTaken) => {
      const message = respond(set);
      const bytes = toBinary(schema, message);
      if (sent !== undefined && Buffer.compare(sent, bytes) === 0) return false;
      sent = bytes;
      call.write(message, onTaken);
      return true;
    },
  };
}
