/** A server's certificate, signed at once and recorded nowhere: for servers that only tests have. */

import {
  prepareServing,
  type ServingCertificate,
} from "../../src/app/server/serving-certificate.ts";
import type { Authority } from "../../src/core/issuance/authority.ts";
import { signPrepared } from "../../src/core/issuance/sign-prepared.ts";
import type { TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";

export function issueServingCertificate(
  { authority, bundle }: { authority: Authority; bundle: Pick<TrustBundle, "roots"> },
  names: readonly string[],
  nowMs: number,
  uri?: string,
): ServingCertificate {
  const { prepared, finish } = prepareServing(
    authority,
    bundle.roots,
    names,
    nowMs,
    uri,
    (_, error) => {
      throw error;
    },
  );
  const [outcome] = signPrepared([prepared], authority);
  if (outcome?.kind !== "issued") throw outcome?.error;
  return finish(outcome.certificate.der);
}
