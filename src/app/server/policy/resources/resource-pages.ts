/** The configuration in messages that any client takes: an operator's list may have thousands of objects. */

import { create } from "@bufbuild/protobuf";
import type { Hold } from "../../../../core/policy/holds.ts";
import { holdMessage } from "../../../../edge/rpc/flip-hold-messages.ts";
import { findingMessage, nameMessage } from "../../../../edge/rpc/resource-messages.ts";
import {
  ListResourcesResponseSchema,
  StoredResourceSchema,
  type ListResourcesResponse,
  type StoredResource,
} from "../../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { ResourceSet } from "./resource-set.ts";
import type { StoredObject } from "./stored-object.ts";

/** Octets; one object more may follow them. */
const pageMax = 131_072;
/** Of those that the first page shows. */
const problemsMax = 200;

/** What holds when it is called. The first may be all there is. @param holds of flips */
export function resourcePages(
  trustDomain: string,
  set: Pick<ResourceSet, "sequence" | "problems" | "objects">,
  holds: readonly Hold[],
): Iterable<ListResourcesResponse> {
  return pages(set.objects(), {
    trustDomain,
    sequence: BigInt(set.sequence),
    problems: set.problems.slice(0, problemsMax).map(findingMessage),
    holds: holds.map(holdMessage),
  });
}

function* pages(
  objects: readonly StoredObject[],
  head: Pick<ListResourcesResponse, "trustDomain" | "sequence" | "problems" | "holds">,
): Generator<ListResourcesResponse> {
  let page = create(ListResourcesResponseSchema, head);
  let room = pageMax;
  for (const each of objects) {
    const size = Buffer.byteLength(each.json);
    if (room < size && page.resources.length > 0) {
      yield page;
      page = create(ListResourcesResponseSchema);
      room = pageMax;
    }
    page.resources.push(messageOf(each));
    room -= size;
  }
  yield page;
}

function messageOf({ object, json, origin }: StoredObject): StoredResource {
  return create(StoredResourceSchema, { resource: nameMessage(object.object.ref), json, origin });
}
