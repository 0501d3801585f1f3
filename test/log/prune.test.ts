/** `audit prune` against the server's handler, over its socket, on a real log. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pino } from "pino";
import type { sendUnaryData } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { pruneLogHandler } from "../../src/app/server/log/log-prune-service.ts";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import { LogClockError } from "../../src/core/log/log-clock.ts";
import { LogError } from "../../src/core/log/log-error.ts";
import type { LogStore } from "../../src/edge/log/log-store.ts";
import { createLocalServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import {
  AdminService,
  GetStatusResponseSchema,
  type GetStatusResponse,
} from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { LOG_NOW_MS } from "../support/log-entries.ts";
import { addCertificates, auditOf, openStore } from "../support/log-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb } from "./audit-rig.ts";

const dayMs = 86_400_000;
const nowMs = LOG_NOW_MS + 10 * dayMs;

type Writer = Parameters<typeof pruneLogHandler>[0]["writer"];

async function withServer(
  work: (server: {
    readonly store: LogStore;
    readonly prune: typeof runVerb;
    readonly path: string;
  }) => Promise<void>,
  writerOf: (store: LogStore) => Writer = ({ writer }) => writer,
  assertGoodMs: () => number = () => nowMs,
): Promise<void> {
  using directory = temporaryDirectory();
  await using store = await openStore(directory.path);
  await addCertificates(store, 0, 300);
  await addCertificates(store, 300, 300, nowMs);
  await using owned = new AsyncDisposableStack();
  const grpc = createLocalServer();
  const log = pino({ level: "silent" });
  addService(grpc, AdminService, {
    pruneLog: pruneLogHandler({
      writer: writerOf(store),
      log,
      assertGoodMs,
      provenMs: assertGoodMs,
    }),
    getStatus: (_: unknown, reply: sendUnaryData<GetStatusResponse>) =>
      reply(null, create(GetStatusResponseSchema)),
  });
  const socket = join(directory.path, "admin.sock");
  owned.use(await listenOnUnixSocket(grpc, socket, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  const prune = (args: readonly string[]) =>
    runVerb(["audit", "prune", "--admin", `unix://${socket}`, ...args], nowMs - LOG_NOW_MS);
  await work({ store, prune, path: directory.path });
}

describe("audit prune", () => {
  it("forgets what was over by then, says what is gone, and the log says who asked", async () => {
    await withServer(async ({ store, prune, path }) => {
      const done = await prune(["--before", "5d", "--operator", "ann"]);
      assert.deepEqual(done, {
        status: 0,
        stdout: "pruned: entries 0 to 511 are gone, 512 of them; their hashes stay\n",
        stderr: "",
      });
      const event = decodeEntry(store.reader.entry(1_201) ?? new Uint8Array());
      assert.ok(event.kind === "event" && event.type === "pruned");
      assert.equal(event.operator, "ann");
      assert.equal(auditOf(path).fault, undefined);
      const again = await prune(["--before", "5d"]);
      assert.deepEqual([again.status, again.stdout.slice(0, 16)], [0, "nothing to prune"]);
      const json = await prune(["--before", "2026-09-20", "-o", "json"]);
      const before = "2026-09-20T00:00:00Z";
      assert.deepEqual(JSON.parse(json.stdout), { before, start: 0, end: 0, pruned: 0 });
    });
  });

  const wrong: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["--before", "2100-01-01"], 2, /expected a time that has passed\nhint: /],
    [
      ["--before", "1d", "--operator", "ä".repeat(61)],
      2,
      /the operator's name in 1 to 60 printable/,
    ],
    [["--before", "1d", "--operator", ""], 2, /the operator's name in 1 to 60 printable/],
    [["--before", "yesterday"], 2, /--before: expected a time such as .* got "yesterday"\nhint: /],
    [["--before", "2026-13-01"], 2, /--before: expected a time/],
    [["--before", "2026-02-30"], 2, /--before: expected a time/],
    [["--before", "1"], 2, /--before: expected a time/],
    [[], 2, /--before is required/],
  ];
  for (const [args, code, message] of wrong) {
    it(`refuses ${args.join(" ").slice(0, 40) || "no time"}, and forgets nothing`, async () => {
      await withServer(async ({ store, prune }) => {
        const { status, stdout, stderr } = await prune(args);
        assert.deepEqual([status, stdout], [code, ""]);
        assert.match(stderr, message);
        assert.equal(store.reader.head().size, 1_201);
      });
    });
  }

  it("waits for a clock that is not in question: it says what has expired", async () => {
    await withServer(
      async ({ store, prune }) => {
        const { status, stderr } = await prune(["--before", "5d"]);
        assert.equal(status, 1);
        assert.match(stderr, /^error: the clock has jumped\n/);
        assert.equal(store.reader.head().prunedTo, 0);
      },
      undefined,
      () => {
        throw new LogClockError("log-clock-stopped", "the clock has jumped");
      },
    );
  });

  it("is done by one at a time", async () => {
    const gate = Promise.withResolvers<undefined>();
    const begun = Promise.withResolvers<void>();
    const held: Writer = {
      prune: () => {
        begun.resolve();
        return gate.promise;
      },
    };
    await withServer(
      async ({ prune }) => {
        const first = prune(["--before", "5d"]);
        await begun.promise;
        const second = await prune(["--before", "5d"]);
        assert.match(second.stderr, /the log is being pruned already/);
        gate.resolve(undefined);
        assert.equal((await first).status, 0);
        assert.equal((await prune(["--before", "5d"])).status, 0);
      },
      () => held,
    );
  });

  it("says why the log cannot be written, and of a fault that there is one", async () => {
    const errors: readonly (readonly [Error, RegExp])[] = [
      [
        new LogError("log-unwritable", "log.db cannot be written: the disk is full"),
        /disk is full/,
      ],
      [
        new TypeError("secret"),
        /^error: nothing was changed: a fault of this program: its log has it/,
      ],
    ];
    for (const [error, message] of errors) {
      await withServer(
        async ({ prune }) => {
          const { status, stderr } = await prune(["--before", "5d"]);
          assert.equal(status, 1);
          assert.match(stderr, message);
        },
        () => ({ prune: () => Promise.reject(error) }),
      );
    }
  });
});
