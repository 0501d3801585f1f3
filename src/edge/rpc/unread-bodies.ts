/**
 * Bodies that have not come with their head: whoever sends slowly has few of them, and not for long, so that he takes no place of those
 * who have sent all. An API server sends a body at once.
 */

import type { IncomingMessage } from "node:http";
import { setImmediate as afterPoll, setTimeout as sleep } from "node:timers/promises";
import { KeyCounts } from "../../core/key-counts.ts";
import { readBody } from "./request-body.ts";

export type ReadBody =
  | { readonly kind: "read"; readonly text: string }
  /** Longer than is read, or not UTF-8. */
  | { readonly kind: "unreadable" }
  /** Too slow, or one of too many that are. */
  | { readonly kind: "slow" };

const bodiesEachMax = 4;
/** A long one comes in several pieces. */
const promptMs = 100;
const bodyMs = 2_000;

export class UnreadBodies {
  /** By address. */
  readonly #slow = new KeyCounts();

  /** @throws Error where the connection ends before it */
  async read(request: IncomingMessage, address: string, bytesMax: number): Promise<ReadBody> {
    const ended = new AbortController();
    const body = readBody(request, bytesMax);
    try {
      return await Promise.race([body.then(readOf), this.#untilSlow(address, ended.signal)]);
    } finally {
      ended.abort();
      // Nobody waits for it any more.
      body.catch(() => {});
    }
  }

  /** Rejects, unheard, once the signal is aborted. */
  async #untilSlow(address: string, signal: AbortSignal): Promise<ReadBody> {
    await sleep(promptMs, undefined, { signal });
    // What has come while others were answered is read first.
    await afterPoll(undefined, { signal });
    if (this.#slow.of(address) >= bodiesEachMax) return { kind: "slow" };
    using _ = this.#slow.add(address);
    await sleep(bodyMs - promptMs, undefined, { signal });
    return { kind: "slow" };
  }
}

function readOf(text: string | undefined): ReadBody {
  return text === undefined ? { kind: "unreadable" } : { kind: "read", text };
}
