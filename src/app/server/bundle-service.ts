/** `portcullis.admin.v1` GetBundle: the trust bundle, for the operator who hands it to others. */

import { create } from "@bufbuild/protobuf";
import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import {
  GetBundleResponseSchema,
  type GetBundleRequest,
  type GetBundleResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";

export interface BundleDependencies {
  readonly bundle: () => TrustBundle;
  readonly refreshHintSeconds: () => number;
}

/** The handler of `GetBundle`. */
export function bundleHandler({
  bundle,
  refreshHintSeconds,
}: BundleDependencies): (
  call: ServerUnaryCall<GetBundleRequest, GetBundleResponse>,
  reply: sendUnaryData<GetBundleResponse>,
) => void {
  return (_, reply) => {
    const { trustDomain, sequence, roots, jwtKeys } = bundle();
    const response = create(GetBundleResponseSchema, {
      trustDomain: trustDomain.name,
      sequence,
      roots: [...roots],
      jwtKeys: jwtKeys.map(({ keyId, spki }) => ({ keyId, publicKey: spki })),
      refreshHintSeconds: BigInt(refreshHintSeconds()),
    });
    reply(null, response);
  };
}
