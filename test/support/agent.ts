/** An agent in this process, in a directory of its own, with its log as values. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { runAgent, type AgentOptions } from "../../src/app/agent/agent.ts";
import { runNodeAgent } from "../../src/app/agent/node-agent.ts";
import type { SpiffeId } from "../../src/core/spiffe/id.ts";

export interface TestAgentOptions extends Partial<AgentOptions> {
  /** Shared by the lives of one agent. */
  readonly directory: string;
  readonly server: string;
  /** PEM. */
  readonly serverRoot: string;
  /** @default "token-1"; undefined leaves the file alone */
  readonly token?: string;
  /** Of a node agent. */
  readonly nodeIdentity?: SpiffeId;
}

export interface AgentEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export class TestAgent implements AsyncDisposable {
  readonly socketPath: string;
  readonly #events: AgentEvent[] = [];
  readonly #stopping = new AbortController();
  /** Its error, if it ended with one. */
  #ended: Promise<unknown> = Promise.resolve();

  private constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** Resolves when its socket is there. @throws what `runAgent` throws at start */
  static async start(options: TestAgentOptions): Promise<TestAgent> {
    const { directory, serverRoot, token = "token-1", nodeIdentity, ...changes } = options;
    const files = agentFiles(directory);
    const agent = new TestAgent(changes.sdsSocket ?? files.sdsSocket);
    writeFileSync(files.serverRootFile, serverRoot);
    writeFileSync(files.tokenFile, token);
    const { tokenFile, ...paths } = files;
    const whole = {
      credential: { kind: "token", file: tokenFile } as const,
      ...paths,
      sdsSocketMode: 0o660,
      trustDomain: undefined,
      ttlSeconds: 0,
      goodbye: false,
      version: "0.0.0-test",
      log: pino({}, { write: (text) => void agent.#events.push(JSON.parse(text)) }),
      nowMs: Date.now,
      random: () => 0.5,
      ...changes,
    };
    const { signal } = agent.#stopping;
    const running =
      nodeIdentity === undefined
        ? runAgent(whole, signal)
        : runNodeAgent({ ...whole, nodeIdentity }, signal);
    let failure: { readonly error: unknown } | undefined;
    agent.#ended = running.catch((error: unknown) => (failure = { error }));
    await agent.until("agent-started", () => {
      if (failure !== undefined) throw failure.error;
      return true;
    });
    return agent;
  }

  events(event: string): AgentEvent[] {
    return this.#events.filter((each) => each.event === event);
  }

  /** Waits for an event, and for what must have come true with it. @returns the newest */
  async until(event: string, isTrue: (events: AgentEvent[]) => boolean): Promise<AgentEvent> {
    for (const deadlineMs = Date.now() + 8_000; Date.now() < deadlineMs; await turn()) {
      const events = this.events(event);
      const newest = events.at(-1);
      if (isTrue(events) && newest !== undefined) return newest;
    }
    return assert.fail(`never came true: ${event} in ${JSON.stringify(this.#events)}`);
  }

  /** @param count that have come, or more */
  async untilCount(event: string, count: number): Promise<AgentEvent> {
    return this.until(event, (events) => events.length >= count);
  }

  /** Waits for it to end by itself. @returns its error */
  async ended(): Promise<unknown> {
    const failure = (await this.#ended) as { readonly error: unknown } | undefined;
    return failure?.error;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

type AgentFiles = Pick<AgentOptions, "serverRootFile" | "stateDir" | "sdsSocket"> & {
  readonly tokenFile: string;
};

function agentFiles(directory: string): AgentFiles {
  return {
    serverRootFile: join(directory, "root.pem"),
    tokenFile: join(directory, "token"),
    stateDir: join(directory, "state"),
    sdsSocket: join(directory, "sds.sock"),
  };
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
