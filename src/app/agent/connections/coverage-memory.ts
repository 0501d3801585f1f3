/**
 * For which time the server has acknowledged that it knows all connections, on disk: the next life of the agent goes on from there. What is
 * lost of it costs no more than a gap.
 */

import { join } from "node:path";
import { PrivateFileError, readPrivateFile } from "../../../edge/config/private-files.ts";
import type { AgentEvents } from "../../../edge/telemetry/agent-events.ts";
import { StateFile } from "../state-file.ts";
import { StateFileError } from "../workload-set.ts";
import { AcknowledgedLives } from "./acknowledged-lives.ts";
import type { CountedConnections } from "./connection-recorder.ts";
import type { AcknowledgedLife, AcknowledgedPort, ResumedLife } from "./resumed-life.ts";

export interface CoverageMemoryOptions {
  readonly stateDir: string;
  readonly events: AgentEvents;
}

const fileName = "connections.json";
const fileBytesMax = 8 * 1_048_576;
const pauseMs = 250;

export class CoverageMemory {
  readonly #lives: AcknowledgedLives;
  readonly #file: StateFile;

  private constructor(
    { stateDir, events }: CoverageMemoryOptions,
    stored: ReadonlyMap<string, AcknowledgedLife>,
  ) {
    this.#lives = new AcknowledgedLives(stored);
    this.#file = new StateFile({
      path: join(stateDir, fileName),
      encode: () => Buffer.from(JSON.stringify({ version: 1, lives: this.#lives.all })),
      onFailure: (error) => events.stateNotWritten(error),
      pauseMs,
    });
  }

  static async open(options: CoverageMemoryOptions): Promise<CoverageMemory> {
    return new CoverageMemory(options, await readStored(options));
  }

  /** @param key `policyKey` */
  resumed(key: string): ResumedLife | undefined {
    return this.#lives.resumed(key);
  }

  /** @param offsetMs `clockOffsetMs` */
  acknowledged(all: readonly CountedConnections[], offsetMs?: number): void {
    if (this.#lives.acknowledged(all, offsetMs)) this.#file.write();
  }

  /** Resolves when all is on disk, or was tried once more. */
  async settled(): Promise<void> {
    await this.#file.settled();
  }

  /** The workload ends. @throws what the file system says */
  async destroy(): Promise<void> {
    await this.#file.destroy();
  }
}

/** What cannot be read is reported. */
async function readStored({
  stateDir,
  events,
}: CoverageMemoryOptions): Promise<ReadonlyMap<string, AcknowledgedLife>> {
  const path = join(stateDir, fileName);
  try {
    const bytes = await readPrivateFile(path, fileBytesMax);
    return parseStored(JSON.parse(Buffer.from(bytes).toString()));
  } catch (cause) {
    if (cause instanceof PrivateFileError && cause.code === "file-missing") return new Map();
    const message = `${path} does not say which connections were acknowledged`;
    events.stateUnreadable(new StateFileError("state-file-malformed", message, { cause }));
    return new Map();
  }
}

interface Stored {
  readonly version: unknown;
  readonly lives: readonly (readonly [key: string, life: AcknowledgedLife])[];
}

/** @throws TypeError */
function parseStored(document: Stored): ReadonlyMap<string, AcknowledgedLife> {
  const { version, lives } = document;
  if (version !== 1) throw new TypeError(`expected version 1, got ${String(version)}`);
  return new Map(lives.map(([key, life]) => [key, parseLife(life)]));
}

function parseLife({ epochMs, ports, offsetMs }: AcknowledgedLife): AcknowledgedLife {
  const life = { epochMs: integer(epochMs), ports: ports.map(parsePort) };
  return offsetMs === undefined ? life : { ...life, offsetMs: integer(offsetMs) };
}

function parsePort({ port, untilMs, ended, endedMeshed }: AcknowledgedPort): AcknowledgedPort {
  const numbers = { port: integer(port), untilMs: integer(untilMs), ended: integer(ended) };
  return endedMeshed === undefined ? numbers : { ...numbers, endedMeshed: integer(endedMeshed) };
}

function integer(value: unknown): number {
  if (Number.isSafeInteger(value)) return Number(value);
  throw new TypeError(`expected an integer, got ${typeof value}`);
}
