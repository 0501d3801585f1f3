/** Many agents that have a stream each, on a server that has done nothing else since its start. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Agents, writeTokens } from "./agents.ts";
import { readUsage } from "./cpu.ts";
import type { Fixture } from "./fixture.ts";
import { Rotations } from "./rotations.ts";
import { BenchServer } from "./server.ts";

/** For garbage, and for what follows a message. */
const settleMs = 3_000;
const timeoutMs = 120_000;

export class StreamsRig implements AsyncDisposable {
  readonly server: BenchServer;
  readonly agents: Agents;
  readonly rotations: Rotations;
  readonly dataDir: string;
  /** Of the server: idle, with a connection each, and with a stream each. */
  readonly rssMiB: readonly [number, number, number];
  readonly #owned: AsyncDisposableStack;

  private constructor(
    parts: Pick<StreamsRig, "server" | "agents" | "rotations" | "dataDir" | "rssMiB">,
    owned: AsyncDisposableStack,
  ) {
    this.server = parts.server;
    this.agents = parts.agents;
    this.rotations = parts.rotations;
    this.dataDir = parts.dataDir;
    this.rssMiB = parts.rssMiB;
    this.#owned = owned;
  }

  /** @param kind the floor takes reports, and keeps nothing of them; with `policy`, proxies acknowledge that, too */
  static async open(
    fixture: Fixture,
    count: number,
    kind: "server" | "floor" | "policy" = "server",
  ): Promise<StreamsRig> {
    const { programs, progress, signal } = fixture;
    const directory = join(fixture.directory, `streams-${count}-${kind}`);
    const dataDir = join(directory, "data");
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await using owned = new AsyncDisposableStack();
    const options = { ...fixture, dataDir, variant: "timed" } as const;
    const first = await BenchServer.start(options);
    const port = Number(first.address.split(":").at(-1));
    progress(`${count} agents: certificates`);
    const agents = owned.use(
      new Agents({
        program: programs.agents,
        address: first.address,
        rootFile: join(dataDir, "root-cert.pem"),
        tokensFile: await writeTokens({ ...fixture, directory }, count),
        takesPolicy: kind === "policy",
      }),
    );
    agents.command("certify");
    await agents.done("certified", 1, timeoutMs);
    // What issuance has left behind would hide what streams need.
    await first[Symbol.asyncDispose]();
    const server =
      kind === "floor"
        ? await BenchServer.startFloor(dataDir, port)
        : await BenchServer.start({ ...options, port });
    owned.defer(async () => {
      await agents[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    });
    const rss = async (): Promise<number> => {
      await sleep(settleMs, undefined, { signal });
      return (await readUsage(server.pid)).rssMiB;
    };
    const idle = await rss();
    progress(`${count} agents: connections`);
    agents.command("connect");
    await agents.done("connected", 1, timeoutMs);
    const connected = await rss();
    progress(`${count} agents: streams`);
    agents.command("greet");
    await agents.done("greeted", 1, timeoutMs);
    const rssMiB = [idle, connected, await rss()] as const;
    const rotations = new Rotations(server, dataDir);
    return new StreamsRig({ server, agents, rotations, dataDir, rssMiB }, owned.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
