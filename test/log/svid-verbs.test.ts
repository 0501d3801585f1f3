/** `svid list` and `svid show SERIAL`: what the log says of certificates, and who holds them by a running server. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import type { sendUnaryData } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createLocalServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import {
  AdminService,
  GetStatusResponseSchema,
  type GetStatusResponse,
} from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { LOG_NOW_MS, sampleIntent, serialOf } from "../support/log-entries.ts";
import { addCertificates, openStore } from "../support/log-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { failedSerial, hexOf, jsonOf, openSerial, runVerb, writeLog } from "./audit-rig.ts";

const dayMs = 86_400_000;
const directory = temporaryDirectory();
const at = ["--data-dir", directory.path];
before(() => writeLog(directory.path));
after(() => directory[Symbol.dispose]());

interface Listed {
  readonly serial: string;
  readonly identity: string;
  readonly state: string;
  readonly intent: number;
  readonly holder: { readonly proxy: string; readonly connected: boolean } | null;
}

const list = (args: readonly string[] = [], laterMs = 0): Promise<Listed[]> =>
  jsonOf<Listed[]>(["svid", "list", ...at, ...args], laterMs);

/** One proxy that is connected and two that were, of which two hold the same certificate. */
async function serveStatus(owned: AsyncDisposableStack): Promise<void> {
  const grpc = createLocalServer();
  const proxy = (proxyId: string, serial: string, connected: boolean, lastSeenMs: number) => ({
    proxyId,
    connected,
    lastSeen: timestampFromMs(lastSeenMs),
    subscriptions: [{ resourceName: "default", serial }, { resourceName: "ROOTCA" }],
  });
  const status = create(GetStatusResponseSchema, {
    proxies: [
      proxy("old", hexOf(serialOf(1)), false, LOG_NOW_MS - 60_000),
      proxy("newer", hexOf(serialOf(1)), false, LOG_NOW_MS - 30_000),
      proxy("here", hexOf(serialOf(2)), true, LOG_NOW_MS - 1_000),
    ],
  });
  addService(grpc, AdminService, {
    getStatus: (_: unknown, reply: sendUnaryData<GetStatusResponse>) => reply(null, status),
  });
  owned.use(await listenOnUnixSocket(grpc, join(directory.path, "admin.sock"), 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
}

describe("svid list", () => {
  it("lists what has not expired, with its state", async () => {
    const all = await list();
    assert.equal(all.length, 302);
    const stateOf = (serial: Uint8Array): string | undefined =>
      all.find((each) => each.serial === hexOf(serial))?.state;
    assert.deepEqual(
      [stateOf(serialOf(0)), stateOf(failedSerial), stateOf(openSerial)],
      ["valid", "failed", "open"],
    );
    assert.deepEqual(
      all.map(({ intent }) => intent),
      all.map(({ intent }) => intent).toSorted((a, b) => a - b),
    );
  });

  it("leaves out what has expired, but with --all", async () => {
    assert.equal((await list([], 120_000)).length, 301);
    assert.deepEqual(await list([], 2 * dayMs), []);
    const all = await list(["--all"], 2 * dayMs);
    assert.deepEqual([all.length, all[0]?.state], [302, "expired"]);
    const { stdout } = await runVerb(["svid", "list", ...at], 2 * dayMs);
    assert.match(stdout, /^no certificates; --all .*\n$/);
  });

  const filters: readonly (readonly [readonly string[], number])[] = [
    [["--identity", "spiffe://cluster.local/ns/default/sa/web-7"], 3],
    [["--identity", "spiffe://cluster.local/ns/default/sa/none"], 0],
    [["--namespace", "other"], 1],
    [["--namespace", "default"], 301],
    [["--authority", sampleIntent().authority.toUpperCase()], 302],
    [["--authority", "00"], 0],
    [["--expires-within", "2m"], 1],
    [["--expires-within", "25h", "--namespace", "other"], 1],
    [["--expires-within", "30s"], 0],
  ];
  for (const [args, count] of filters) {
    it(`finds ${count} with ${args.join(" ")}`, async () => {
      assert.equal((await list(args)).length, count);
    });
  }

  it("says what is wrong with a filter", async () => {
    const { status, stderr } = await runVerb(["svid", "list", ...at, "--authority", "xyz"]);
    assert.equal(status, 2);
    assert.match(stderr, /--authority: expected a key ID in hex, got "xyz"\nhint: /);
  });

  it("is the same in pages, as a table and as YAML", async () => {
    using large = temporaryDirectory();
    {
      await using store = await openStore(large.path);
      await addCertificates(store, 0, 1_301);
    }
    const where = ["svid", "list", "--data-dir", large.path];
    const values = await jsonOf<Listed[]>(where);
    const serials = Array.from({ length: 1_301 }, (_, number) => hexOf(serialOf(number)));
    assert.deepEqual(
      values.map(({ serial }) => serial),
      serials,
    );
    const rows = (await runVerb(where)).stdout.trimEnd().split("\n");
    assert.match(
      rows[0] ?? "",
      /^IDENTITY +SERIAL +KIND +AUTHORITY +ISSUED +EXPIRES +STATE +LAST SEEN$/,
    );
    assert.deepEqual(
      rows.slice(1).map((row) => row.split(/ {3,}/)[1]),
      serials,
    );
    const yaml: unknown = parse((await runVerb([...where, "-o", "yaml"])).stdout);
    assert.deepEqual(yaml, values);
  });

  it("asks the running server who holds what, and says when there is none", async () => {
    const { stdout, stderr } = await runVerb(["svid", "list", ...at]);
    assert.equal(stderr, "note: no server runs there, so nobody knows who holds what\n");
    assert.match(stdout, / -\n/);
    await using owned = new AsyncDisposableStack();
    await serveStatus(owned);
    const all = await list();
    const holderOf = (number: number): Listed["holder"] | undefined =>
      all.find(({ serial }) => serial === hexOf(serialOf(number)))?.holder;
    assert.deepEqual(
      [holderOf(0), holderOf(1)?.proxy, holderOf(2)?.proxy, holderOf(2)?.connected],
      [null, "newer", "here", true],
    );
    const online = await runVerb(["svid", "list", ...at]);
    assert.equal(online.stderr, "");
    assert.match(online.stdout, / 30s ago\n.* connected\n/);
  });
});

describe("svid show", () => {
  it("shows by its serial all that the log has of a certificate", async () => {
    const { status, stdout } = await runVerb(["svid", "show", hexOf(serialOf(3)), ...at]);
    assert.equal(status, 0);
    assert.match(stdout, /^FIELD +VALID, EXPIRES IN (?:1D|23H59M)\n/);
    for (const field of ["intent evidence pod", "result certificate sha256", "proof hashes"]) {
      assert.match(stdout, new RegExp(`\\n${field} +\\S`));
    }
  });

  const states: readonly (readonly [Uint8Array, number, number, string])[] = [
    [serialOf(3), 0, 0, "valid"],
    [serialOf(3), 2 * dayMs, 3, "expired"],
    [failedSerial, 0, 3, "failed"],
    [openSerial, 0, 3, "open"],
  ];
  for (const [serial, laterMs, code, state] of states) {
    it(`ends with ${code} for a state of ${state}`, async () => {
      const { status, stdout } = await runVerb(
        ["svid", "show", hexOf(serial), ...at, "-o", "json"],
        laterMs,
      );
      const value: { readonly state?: string } = JSON.parse(stdout);
      assert.deepEqual([status, value.state], [code, state]);
    });
  }

  it("says of a name that is neither a file nor a serial what it says of a file", async () => {
    const { status, stderr } = await runVerb(["svid", "show", "web/svid.pem", ...at]);
    assert.equal(status, 1);
    assert.match(stderr, /web\/svid\.pem: no such file/);
  });
});
