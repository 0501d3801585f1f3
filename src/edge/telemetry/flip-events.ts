/** What happens to flips and to ports that are permissive until a date, one function for each event: metric and log line together. */

import { Counter, Gauge, type Registry } from "prom-client";
import { PortcullisError } from "../../core/error.ts";
import { refWords, type ResourceRef } from "../../core/resources/resource.ts";
import type { Logger } from "./logger.ts";

/** Read at each scrape. */
export interface FlipGauges {
  readonly underWay: () => number;
  /** Objects whose date has come, and that still let plaintext in. */
  readonly overdue: () => number;
}

/** Of which flip. */
export interface EventFlip {
  readonly flip: number;
  readonly target: string;
}

export type RevertCauseKind = "operator" | "meshed-failure" | "refused" | "superseded";

/** Of callers, or of workloads, in a line. */
const namesMax = 20;

export class FlipEvents {
  readonly #log: Logger;
  readonly #reverts: Counter<"cause">;

  constructor(log: Logger, registry: Registry, gauges: FlipGauges) {
    this.#log = log;
    this.#reverts = new Counter({
      name: "portcullis_flip_reverts_total",
      help: "flips to strict that were taken back, by what did it",
      labelNames: ["cause"],
      registers: [registry],
    });
    gauge(registry, "portcullis_flips", "flips to strict that are under way", gauges.underWay);
    const overdue = "objects that were to be permissive until a date which has come, and are still";
    gauge(registry, "portcullis_permissive_overdue", overdue, gauges.overdue);
  }

  began(flip: EventFlip, operator: string): void {
    this.#log.info({ event: "flip-began", ...flip, operator }, "a flip to strict has begun");
  }

  stepped(flip: EventFlip, state: string, stage: string): void {
    this.#log.info({ event: "flip-stepped", ...flip, state, stage }, "a flip has gone on");
  }

  /** It is over, and of these nobody knows whom they refused at the end. */
  unseen(flip: EventFlip, names: readonly string[]): void {
    const fields = { event: "flip-unseen", ...flip, count: names.length };
    this.#log.warn(
      { ...fields, workloads: names.slice(0, namesMax) },
      "a flip is done, and some of its proxies have not told of the whole window",
    );
  }

  /** An alarm, unless somebody has asked for it. */
  reverting(
    flip: EventFlip,
    cause: RevertCauseKind,
    operator: string,
    names: readonly string[],
  ): void {
    this.#reverts.inc({ cause });
    const shown = names.slice(0, namesMax);
    const named = cause === "superseded" ? { objects: shown } : { callers: shown };
    const fields = { event: "flip-reverting", ...flip, cause, operator, ...named };
    if (cause === "operator") this.#log.warn(fields, "a flip is taken back, as asked for");
    else this.#log.error(fields, "a flip is taken back: its target takes plaintext again");
  }

  /** It goes on as it was, and is tried again. */
  notRecorded(flip: EventFlip, error: unknown): void {
    const fields = { event: "flip-not-recorded", ...flip, ...problemOf(error) };
    this.#log.error(fields, "a step of a flip is not recorded, and not in force");
  }

  /** What holds plaintext is not the object, until it is written. */
  notEdited(flip: EventFlip, error: unknown): void {
    const fields = { event: "flip-object-not-written", ...flip, ...problemOf(error) };
    this.#log.error(fields, "the object of a flip is not written");
  }

  failed(flip: EventFlip, error: unknown): void {
    const fields = { event: "flip-failed", ...flip, ...problemOf(error) };
    this.#log.error(fields, "a flip could not be looked at: trying again");
  }

  /** Once a day. */
  overdue(ref: ResourceRef, until: string, owner: string): void {
    const fields = { event: "permissive-overdue", object: refWords(ref), until, owner };
    this.#log.error(fields, "what was to be permissive until a date is permissive still");
  }
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  const all: Gauge = new Gauge({
    name,
    help,
    registers: [registry],
    collect: () => all.set(read()),
  });
}

function problemOf(error: unknown): { readonly detail: string; readonly code?: string } {
  if (error instanceof PortcullisError) return { code: error.code, detail: error.message };
  return { detail: String(error) };
}
