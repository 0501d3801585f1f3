/** The operator's side of ChangeResources and ListResources in `portcullis.admin.v1`. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Hold } from "../../core/policy/holds.ts";
import type { PolicyObject } from "../../core/resources/policy-object.ts";
import type { ResourceRef } from "../../core/resources/resource.ts";
import {
  AdminService,
  ChangeResourcesRequestSchema,
  ListResourcesRequestSchema,
  type StoredResource,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import type { LoadedObject, ManifestProblem } from "../resources/manifest.ts";
import { parseManifest } from "../resources/parse-manifests.ts";
import { callAdmin, collectAdmin } from "./admin-client.ts";
import type { AdminTarget } from "./admin-target.ts";
import { holdOf } from "./flip-hold-messages.ts";
import { findingOf, nameMessage, refOf } from "./resource-messages.ts";
import { refusalOf, ResourcesRefusedError, resourcesTimeoutMs } from "./resource-refusal.ts";

export interface ServerResources {
  readonly trustDomain: string;
  /** Rises with each change. */
  readonly sequence: number;
  /** Of the files of its directory, whose last good state holds, and of what was applied in vain. */
  readonly problems: readonly ManifestProblem[];
  /** `origin` is "" of those that were applied. */
  readonly objects: readonly LoadedObject[];
  /** Of the flips that are under way. */
  readonly holds: readonly Hold[];
}

export interface ResourcesOrder {
  readonly apply: readonly Pick<LoadedObject, "manifest" | "origin">[];
  readonly remove: readonly ResourceRef[];
  readonly isDryRun: boolean;
  readonly operator: string;
}

export interface ResourceOutcome {
  readonly ref: ResourceRef;
  /** created, configured, unchanged, deleted */
  readonly action: string;
}

export interface ChangedResources {
  readonly sequence: number;
  readonly changes: readonly ResourceOutcome[];
}

/** @param address where it is called. @throws AdminClientError, ResourcesRefusedError */
export async function changeResources(
  address: AdminTarget,
  { apply, remove, isDryRun, operator }: ResourcesOrder,
): Promise<ChangedResources> {
  const manifests = apply.map(({ manifest, origin }) => ({
    json: JSON.stringify(manifest),
    origin,
  }));
  const request: MessageInitShape<typeof ChangeResourcesRequestSchema> = {
    apply: manifests,
    delete: remove.map(nameMessage),
    dryRun: isDryRun,
    operator,
  };
  const { changes, sequence } = await callAdmin(
    address,
    AdminService.method.changeResources,
    create(ChangeResourcesRequestSchema, request),
    refusalOf,
    resourcesTimeoutMs,
  );
  return {
    sequence: Number(sequence),
    changes: changes.flatMap(({ resource, action }) => {
      const ref = resource && refOf(resource);
      return ref === undefined ? [] : [{ ref, action }];
    }),
  };
}

/** @param address where it is called. @throws AdminClientError, ResourcesRefusedError */
export async function listResources(address: AdminTarget): Promise<ServerResources> {
  const pages = await collectAdmin(
    address,
    AdminService.method.listResources,
    create(ListResourcesRequestSchema),
    refusalOf,
    resourcesTimeoutMs,
  );
  const [head] = pages;
  return {
    trustDomain: head?.trustDomain ?? "",
    sequence: Number(head?.sequence ?? 0n),
    problems: head?.problems.map(findingOf) ?? [],
    objects: pages.flatMap(({ resources }) => resources.flatMap((each) => objectOf(each))),
    holds: head?.holds.map(holdOf) ?? [],
  };
}

/**
 * What stands for a pod or a service is as Kubernetes has it: one that cannot be read here is left out.
 * @throws ResourcesRefusedError
 */
function objectOf({ resource, json, origin }: StoredResource): readonly LoadedObject[] {
  const { standsFor } = (resource && refOf(resource)) ?? {};
  if (standsFor === undefined) return [readObject(json, origin)];
  return parseManifest(json, origin).objects.map((each) => ({
    ...each,
    object: standingFor(each.object, standsFor),
  }));
}

function standingFor(
  { kind, object }: PolicyObject,
  standsFor: NonNullable<ResourceRef["standsFor"]>,
): PolicyObject {
  const ref = { ...object.ref, standsFor };
  if (kind === "WorkloadEntry") return { kind, object: { ...object, ref } };
  if (kind === "ServiceEntry") return { kind, object: { ...object, ref } };
  const message = `the server has a ${kind} that stands for a ${standsFor.kind}`;
  throw new ResourcesRefusedError("resources-failed", message);
}

/** As a server has it. @throws ResourcesRefusedError */
export function readObject(json: string, origin: string): LoadedObject {
  const { objects, problems } = parseManifest(json, origin);
  const [object] = objects;
  if (object !== undefined) return object;
  const why = problems[0]?.text ?? "it is of no known kind";
  const message = `the server has an object that cannot be read here: ${why}`;
  throw new ResourcesRefusedError("resources-failed", message, {
    hint: "use the portcullis of the server's version: portcullis status",
  });
}
