/** The deny list of a server without its other parts: the store and the log are real, and operators reach it by a socket. */

import { Server as GrpcServer } from "@grpc/grpc-js";
import { join } from "node:path";
import { pino } from "pino";
import { acceptClockHandler } from "../../src/app/server/clock-service.ts";
import { Denials } from "../../src/app/server/denials.ts";
import { denyHandlers } from "../../src/app/server/deny-service.ts";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import type { Entry } from "../../src/core/log/entry.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { initialTrustState, type TrustState } from "../../src/core/trust/trust-state.ts";
import type { LogStore } from "../../src/edge/log/log-store.ts";
import { createLocalServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import { Store } from "../../src/edge/store/store.ts";
import { AdminService } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { openStore } from "../support/log-store.ts";

export interface DenyRig extends AsyncDisposable {
  readonly denials: Denials;
  readonly store: Store;
  readonly log: LogStore;
  /** `unix:///PATH`. */
  readonly admin: string;
  /** What its own log says. */
  readonly lines: readonly string[];
  readonly stored: readonly TrustState[];
  /** Replaced by a test that lets it fail. */
  append: (entries: readonly Entry[]) => Promise<unknown>;
  /** Between the log and the store. */
  beforeStore: () => void;
  accept: (operator: string, reason: string) => Promise<number>;
  nowMs: number;
  entries(): readonly Entry[];
}

const trustDomain = TrustDomain.parse("cluster.local");
const firstState = initialTrustState({
  trustDomain,
  authority: {
    id: "ab",
    chain: [],
    root: Uint8Array.of(1),
    key: "store",
    auto: false,
  },
  nowMs: 0,
});

/** @param nowMs that its clock begins with */
export async function openDenyRig(dataDir: string, nowMs: number): Promise<DenyRig> {
  await using owned = new AsyncDisposableStack();
  const store = owned.use(await Store.open(dataDir, "server"));
  if (store.loadTrustState() === undefined) {
    store.initialize({ state: firstState, keys: [], nowMs });
  }
  const log = owned.use(await openStore(dataDir));
  const lines: string[] = [];
  const stored: TrustState[] = [];
  const denials = new Denials({
    stored: {
      load: () => store.denials.load(),
      replace: (before, after) => {
        rig.beforeStore();
        return store.denials.replace(before, after);
      },
    },
    writer: { append: (entries) => rig.append(entries) },
    onStored: (state) => void stored.push(state),
    nowMs: () => rig.nowMs,
    provenMs: () => rig.nowMs,
  });
  const logger = pino({}, { write: (text) => void lines.push(text) });
  const grpc: GrpcServer = createLocalServer();
  addService(grpc, AdminService, {
    ...denyHandlers({
      denials,
      trustDomain,
      certificates: log.reader.certificates,
      log: logger,
    }),
    acceptClock: acceptClockHandler({
      accept: (operator, reason) => rig.accept(operator, reason),
      log: logger,
      nowMs: () => rig.nowMs,
    }),
  });
  const path = join(dataDir, "admin.sock");
  owned.use(await listenOnUnixSocket(grpc, path, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  const rest = owned.move();
  const rig: DenyRig = {
    denials,
    store,
    log,
    admin: `unix://${path}`,
    lines,
    stored,
    append: (entries) => log.writer.append(entries),
    beforeStore: () => {},
    accept: () => Promise.resolve(0),
    nowMs,
    entries: () => [...log.reader.entries(0, 100_000)].map(({ data }) => decodeEntry(data)),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
  return rig;
}
