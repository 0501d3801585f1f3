/** What the server's evidence has of a pod, read without a line of the code that reads it. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { namespace } from "./mesh-objects.ts";

export interface ToldLife {
  readonly bornMs: number;
  readonly goneMs: number;
}

export interface ToldSpan {
  readonly port: number;
  /** Of a life of a proxy, and of one of its Envoy. */
  readonly life: string;
  readonly sinceMs: number;
  readonly untilMs: number;
}

export interface ToldCaller {
  readonly pod: string;
  readonly port: number;
  readonly address: string;
  readonly isRefused: boolean;
  readonly lastMs: number;
  readonly count: number;
}

const ofPod = `namespace = '${namespace}' AND name = ?`;
const addressKind = 2;

export class Told {
  readonly #reports: StatementSync;
  readonly #lives: StatementSync;
  readonly #spans: StatementSync;
  readonly #callers: StatementSync;

  constructor(evidence: DatabaseSync) {
    this.#reports = evidence.prepare("SELECT 1 FROM reports WHERE run = ? AND sequence >= ?");
    this.#lives = evidence.prepare(`SELECT born_ms, gone_ms FROM members WHERE ${ofPod}`);
    this.#spans = evidence.prepare(
      `SELECT spans.* FROM spans JOIN members ON members.id = member WHERE ${ofPod}`,
    );
    this.#callers = evidence.prepare(
      "SELECT members.name AS pod, port, sources.name AS address, refused, last_ms, total FROM callers" +
        " JOIN members ON members.id = member JOIN sources ON sources.id = source" +
        ` WHERE sources.kind = ${addressKind}`,
    );
  }

  hasReport(runId: string, sequence: number): boolean {
    return this.#reports.get(runId, sequence) !== undefined;
  }

  lives(pod: string): readonly ToldLife[] {
    return this.#lives.all(pod).map(({ born_ms: born, gone_ms: gone }) => {
      return { bornMs: Number(born), goneMs: gone === null ? Infinity : Number(gone) };
    });
  }

  spans(pod: string): readonly ToldSpan[] {
    return this.#spans.all(pod).map((row) => ({
      port: Number(row["port"]),
      life: [row["member"], row["epoch_ms"]].join(" "),
      sinceMs: Number(row["since_ms"]),
      untilMs: Number(row["until_ms"]),
    }));
  }

  /** Those with an address. */
  callers(): readonly ToldCaller[] {
    return this.#callers.all().map((row) => ({
      pod: String(row["pod"]),
      port: Number(row["port"]),
      address: String(row["address"]),
      isRefused: row["refused"] === 1,
      lastMs: Number(row["last_ms"]),
      count: Number(row["total"]),
    }));
  }
}
