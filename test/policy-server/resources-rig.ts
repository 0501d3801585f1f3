/** The configuration of a server without its other parts: store and log are real, and operators reach it by a socket. */

import { join } from "node:path";
import { pino } from "pino";
import type { ExitCode, Registry } from "../../src/app/cli/command.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { openResources } from "../../src/app/server/policy/resources/open-resources.ts";
import { readManifest } from "../../src/app/server/policy/resources/read-manifest.ts";
import { resourceHandlers } from "../../src/app/server/policy/resources/resource-service.ts";
import type { ResourceSetChange } from "../../src/app/server/policy/resources/resource-set.ts";
import type { Resources } from "../../src/app/server/policy/resources/resources.ts";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import type { Entry, EventEntry } from "../../src/core/log/entry.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { createLocalServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import type { StoredResources } from "../../src/edge/store/resources.ts";
import { Store } from "../../src/edge/store/store.ts";
import { AdminService } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { openStore } from "../support/log-store.ts";

export interface ResourcesRig extends AsyncDisposable {
  readonly resources: Resources;
  /** `unix:///PATH`. */
  readonly admin: string;
  /** What its own log says. */
  readonly lines: readonly string[];
  readonly changes: readonly ResourceSetChange[];
  /** Replaced by a test that lets it fail. */
  append: (entries: readonly Entry[]) => Promise<unknown>;
  /** Between the log and the store. */
  beforeStore: () => void;
  nowMs: number;
  events(): readonly EventEntry[];
}

export const rigNowMs: number = Date.parse("2026-03-01T08:00:00Z");

/** @param resourcesDir of YAML files */
export async function openResourcesRig(
  dataDir: string,
  resourcesDir?: string,
): Promise<ResourcesRig> {
  await using owned = new AsyncDisposableStack();
  const store = owned.use(await Store.open(dataDir, "server"));
  const log = owned.use(await openStore(dataDir, { mustExist: false }));
  const lines: string[] = [];
  const logger = pino({}, { write: (text) => void lines.push(text) });
  const stored: Pick<StoredResources, "load" | "change"> = {
    load: () => store.resources.load(),
    change: (before, write) => {
      faults.beforeStore();
      return store.resources.change(before, write);
    },
  };
  const faults = {
    nowMs: rigNowMs,
    append: (entries: readonly Entry[]): Promise<unknown> => log.writer.append(entries),
    beforeStore: (): void => {},
  };
  const nothing = { operator: "", subject: "", reason: "", digest: new Uint8Array(), detail: "" };
  const resources = await openResources(
    {
      resourcesDir,
      stored,
      record: async (event) => {
        await faults.append([{ kind: "event", timeMs: rigNowMs, ...nothing, ...event }]);
      },
      log: logger,
      nowMs: () => faults.nowMs,
      signal: new AbortController().signal,
    },
    owned,
  );
  const changes: ResourceSetChange[] = [];
  resources.set.onChange((change) => void changes.push(change));
  const grpc = createLocalServer(4 * 1_048_576);
  const trustDomain = TrustDomain.parse("cluster.local");
  addService(grpc, AdminService, {
    ...resourceHandlers({ resources, trustDomain, read: readManifest, log: logger }),
  });
  const path = join(dataDir, "admin.sock");
  owned.use(await listenOnUnixSocket(grpc, path, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  const rest = owned.move();
  return Object.assign(faults, {
    resources,
    admin: `unix://${path}`,
    lines,
    changes,
    events: () =>
      [...log.reader.entries(0, 100_000)]
        .map(({ data }) => decodeEntry(data))
        .filter((entry) => entry.kind === "event" && entry.type === "resources-changed")
        .filter((entry): entry is EventEntry => entry.kind === "event"),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  });
}

const registry: Registry = [
  {
    path: ["apply"],
    summary: "Give",
    load: async () => (await import("../../src/app/cli/verbs/apply.ts")).apply,
  },
  {
    path: ["delete"],
    summary: "Take",
    load: async () => (await import("../../src/app/cli/verbs/delete.ts")).deleteVerb,
  },
  {
    path: ["get"],
    summary: "Show",
    load: async () => (await import("../../src/app/cli/verbs/get.ts")).get,
  },
  {
    path: ["validate"],
    summary: "Look",
    load: async () => (await import("../../src/app/cli/verbs/validate.ts")).validate,
  },
  {
    path: ["diff"],
    summary: "Compare",
    load: async () => (await import("../../src/app/cli/verbs/diff.ts")).diff,
  },
  {
    path: ["mtls", "explain"],
    summary: "Why",
    load: async () => (await import("../../src/app/cli/verbs/mtls-explain.ts")).mtlsExplain,
  },
];

export interface Said {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** A verb by its command line, in this process. */
export async function say(rig: ResourcesRig, ...argv: readonly string[]): Promise<Said> {
  let out = "";
  let err = "";
  const code = await runCli([...argv, "--admin", rig.admin], {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: { USER: "ada" },
    signal: new AbortController().signal,
    nowMs: () => rig.nowMs,
    isTty: false,
    columns: 80,
    registry,
  });
  return { code, out, err };
}

/** @param at NAMESPACE/NAME */
export function peerYaml(at: string, mode: string, more = ""): string {
  const [namespace = "", name = ""] = at.split("/");
  return `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: ${name}
  namespace: ${namespace}${more}
spec:
  mtls:
    mode: ${mode}
`;
}
