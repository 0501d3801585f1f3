/** `portcullis.admin.v1` ChangeResources and ListResources. */

import { create } from "@bufbuild/protobuf";
import { status, type handleUnaryCall, type ServerWritableStream } from "@grpc/grpc-js";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { PortcullisError } from "../../../../core/error.ts";
import type { Hold } from "../../../../core/policy/holds.ts";
import type { ResourceRef } from "../../../../core/resources/resource.ts";
import type { TrustDomain } from "../../../../core/spiffe/id.ts";
import type { LoadedObject } from "../../../../edge/resources/manifest.ts";
import { nameMessage, refOf } from "../../../../edge/rpc/resource-messages.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import {
  ChangeResourcesResponseSchema,
  type ChangeResourcesRequest,
  type ChangeResourcesResponse,
  type ListResourcesRequest,
  type ListResourcesResponse,
  type Manifest,
} from "../../../../gen/portcullis/admin/v1/admin_pb.ts";
import { answerCommand, assertClaim } from "../../operator-command.ts";
import { ResourceChangeError, type ResourceChangeCode } from "./resource-change-error.ts";
import { resourcePages } from "./resource-pages.ts";
import type { Resources } from "./resources.ts";

export interface ResourceServiceDependencies {
  readonly resources: Resources;
  readonly trustDomain: TrustDomain;
  /** What flips hold back now. */
  readonly holds?: () => readonly Hold[];
  /** @throws ResourceChangeError `resource-invalid` */
  readonly read: (json: string, origin: string) => LoadedObject;
  readonly log: Logger;
}

type ListCall = ServerWritableStream<ListResourcesRequest, ListResourcesResponse>;

export interface ResourceHandlers {
  readonly changeResources: handleUnaryCall<ChangeResourcesRequest, ChangeResourcesResponse>;
  readonly listResources: (call: ListCall) => void;
}

export function resourceHandlers(dependencies: ResourceServiceDependencies): ResourceHandlers {
  const { resources, trustDomain, holds = () => [], log } = dependencies;
  return {
    changeResources: ({ request }, reply) =>
      void answerCommand(reply, log, () => change(request, dependencies), codeOf),
    listResources: (call) => {
      const pages = resourcePages(trustDomain.name, resources.set, holds());
      // Whoever hangs up has read enough.
      send(call, pages).catch(() => call.end());
    },
  };
}

async function change(
  request: ChangeResourcesRequest,
  { resources, read, log }: ResourceServiceDependencies,
): Promise<ChangeResourcesResponse> {
  const { operator, dryRun: isDryRun } = request;
  assertClaim({ operator, reason: "resources" });
  const remove = request.delete.map((name) => refOf(name) ?? unknownKind(name.kind));
  const apply = await readAll(request.apply, read);
  const { actions } = await resources.change({ apply, remove }, { operator, isDryRun });
  const { sequence } = resources.set;
  const changed = actions.filter(({ action }) => action !== "unchanged").length;
  if (!isDryRun && changed > 0) {
    log.info({ event: "resources-changed", operator, changed, sequence }, "configuration changed");
  }
  const changes = actions.map(({ ref, action }) => ({ resource: nameMessage(ref), action }));
  return create(ChangeResourcesResponseSchema, { changes, sequence: BigInt(sequence) });
}

/** How long callers of the CA may wait for it. */
const turnMs = 5;

async function readAll(
  manifests: readonly Manifest[],
  read: ResourceServiceDependencies["read"],
): Promise<readonly LoadedObject[]> {
  const objects: LoadedObject[] = [];
  let startedMs = performance.now();
  for (const { json, origin } of manifests) {
    objects.push(read(json, origin));
    if (performance.now() - startedMs < turnMs) continue;
    await nextTurn();
    startedMs = performance.now();
  }
  return objects;
}

async function send(call: ListCall, pages: Iterable<ListResourcesResponse>): Promise<void> {
  const cancelling = new AbortController();
  const { signal } = cancelling;
  call.once("cancelled", () => cancelling.abort());
  for (const page of pages) {
    signal.throwIfAborted();
    if (!call.write(page)) await once(call, "drain", { signal });
  }
  call.end();
}

function unknownKind(kind: string): ResourceRef {
  const message = `expected a kind of object, got ${JSON.stringify(kind.slice(0, 100))}`;
  throw new ResourceChangeError("resource-invalid", message);
}

const codes: Readonly<Record<ResourceChangeCode, status>> = {
  "resource-invalid": status.INVALID_ARGUMENT,
  "resource-twice": status.INVALID_ARGUMENT,
  "resource-unknown": status.NOT_FOUND,
  "resource-in-directory": status.FAILED_PRECONDITION,
  "resource-in-cluster": status.ALREADY_EXISTS,
  "resources-full": status.RESOURCE_EXHAUSTED,
};

function codeOf(error: PortcullisError): status | undefined {
  return error instanceof ResourceChangeError ? codes[error.code] : undefined;
}
