/** What flips hold back, in `portcullis.admin.v1`: what the server and its operators' side write and read alike. */

import { create } from "@bufbuild/protobuf";
import type { Hold } from "../../core/policy/holds.ts";
import { FlipHoldSchema, type FlipHold } from "../../gen/portcullis/admin/v1/admin_pb.ts";

export function holdMessage({
  flip,
  namespace,
  selector,
  ports,
  exceptPorts,
  strict,
}: Hold): FlipHold {
  return create(FlipHoldSchema, {
    flip: BigInt(flip),
    namespace,
    selector: Object.fromEntries(selector),
    ports: [...ports],
    exceptPorts: [...exceptPorts],
    strict: [...strict],
  });
}

export function holdOf({ flip, namespace, selector, ports, exceptPorts, strict }: FlipHold): Hold {
  return {
    flip: Number(flip),
    namespace,
    selector: new Map(Object.entries(selector)),
    ports,
    exceptPorts,
    strict: new Set(strict),
  };
}
