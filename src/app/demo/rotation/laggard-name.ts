/** Whom a rotation waits for, short enough for a line: names of the demo's workloads say who they are. */

import type { Laggard } from "../../../gen/portcullis/admin/v1/admin_pb.ts";

const idLength = 8;

/** `proxy/cart`, `certificate/09b1db05`, `agent of cart`. */
export function shortName({
  kind,
  name,
  spiffeId,
}: Pick<Laggard, "kind" | "name" | "spiffeId">): string {
  if (kind === "agent") return `agent of ${spiffeId.split("/").at(-1) ?? ""}`;
  const [, id = ""] = /^[^/]*\/([^@]*)/.exec(name) ?? [];
  return `${kind}/${kind === "leaf" || kind === "certificate" ? id.slice(0, idLength) : id}`;
}
