/** A listener, cluster or load assignment as it is sent. Equal content has equal octets, and so an equal version. */

import { createHash } from "node:crypto";
import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import type { VersionedResource } from "../xds/resource.ts";

export type ConfigResource = VersionedResource<undefined>;

export function configResource<D extends DescMessage>(
  schema: D,
  name: string,
  init: MessageInitShape<D>,
): ConfigResource {
  return encodedResource(name, toBinary(schema, create(schema, init)));
}

/** @param body the message, of one part or of several that stand one after the other: they are merged */
export function encodedResource(name: string, body: Uint8Array): ConfigResource {
  const version = createHash("sha256").update(body).digest("hex").slice(0, 32);
  return Object.freeze({ name, version, body, evidence: undefined });
}
