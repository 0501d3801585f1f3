/**
 * The open streams of the Workload API. Each gets its first message at once and another whenever
 * that would be a different one; all end at the moment when the certificate expires. A reader that
 * is slow gets the newest state when it has taken the last, and nothing of what was in between.
 */

import { toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { ServerWritableStream } from "@grpc/grpc-js";
import type { WorkloadSet } from "../workload-set.ts";
import { internalError, statusOf, WorkloadApiRefusal, type Status } from "./refusal.ts";

export interface WorkloadStreamsOptions {
  /** Undefined while there is none that is valid. */
  readonly set: () => WorkloadSet | undefined;
  readonly nowMs: () => number;
  readonly streamsMax: number;
  readonly onProblem: (error: unknown) => void;
}

interface OpenStream {
  readonly end: (status: Status) => void;
  /** @returns false if that is what was sent last */
  readonly write: (set: WorkloadSet, onTaken: () => void) => boolean;
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

  constructor(options: WorkloadStreamsOptions) {
    this.#options = options;
  }

  /** @throws WorkloadApiRefusal `workload-overloaded` */
  open<M extends DescMessage>(
    call: ServerWritableStream<unknown, MessageShape<M>>,
    schema: M,
    respond: (set: WorkloadSet) => MessageShape<M>,
  ): void {
    if (this.#streams.size >= this.#options.streamsMax) {
      throw new WorkloadApiRefusal("workload-overloaded", "too many streams");
    }
    const stream = openStream(call, schema, respond);
    const close = (): void => void this.#streams.delete(stream);
    for (const event of ["error", "cancelled", "close"]) call.on(event, close);
    this.#streams.add(stream);
    this.#update(stream);
    this.#watchExpiry();
  }

  /** There is another certificate or bundle, or none any more. */
  setChanged(): void {
    for (const stream of this.#streams) this.#update(stream);
    this.#watchExpiry();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #update(stream: OpenStream): void {
    const set = this.#options.set();
    try {
      if (set === undefined) throw noIdentity();
      stream.isBehind = stream.isWriting;
      if (stream.isWriting) return;
      stream.isWriting = stream.write(set, () => {
        stream.isWriting = false;
        if (stream.isBehind && this.#streams.has(stream)) this.#update(stream);
      });
    } catch (error) {
      const status = statusOf(error);
      if (status === undefined) this.#options.onProblem(error);
      this.#streams.delete(stream);
      stream.end(status ?? internalError);
    }
  }

  #watchExpiry(): void {
    clearTimeout(this.#timer);
    const notAfterMs = this.#options.set()?.certificate.notAfterMs;
    if (notAfterMs === undefined || this.#streams.size === 0) return;
    const delayMs = Math.min(notAfterMs - this.#options.nowMs(), longestTimerMs);
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
  schema: M,
  respond: (set: WorkloadSet) => MessageShape<M>,
): OpenStream {
  let sent: Uint8Array | undefined;
  return {
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
