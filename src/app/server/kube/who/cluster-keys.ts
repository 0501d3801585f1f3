/**
 * The issuer of a cluster's tokens and its keys, as the API server itself says (OpenID Connect Discovery 1.0; Kubernetes:
 * "Service account issuer discovery"). Its own copy of the keys is read, and never the place that `jwks_uri` names: nobody else may say
 * who is who. Both are read together each time: an issuer can be changed while tokens of the former one are still good.
 */

import { isJsonObject } from "../../../../core/identity/json-object.ts";
import type { JwksLocation } from "../../../../edge/authn/jwks-document.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";

export interface ClusterKeys {
  /** Each that the API server has named since this process began, 4 at most; that of all tokens that are made now is the first. */
  readonly issuers: Issuers;
  /** @param judge throws for an issuer that must not count */
  readonly locate: (judge: (issuer: string) => void) => JwksLocation;
}

type Issuers = readonly [string, ...string[]];

const discoveryPath = "/.well-known/openid-configuration";
const keysPath = "/openid/v1/jwks";
const issuerCharsMax = 1_024;
const formerMax = 3;

/** Of several issuers discovery knows the first alone: which others the API server takes, it says nowhere. @throws KubeError */
export async function clusterKeys(
  connection: KubeConnection,
  signal: AbortSignal,
): Promise<ClusterKeys> {
  let issuers: Issuers = [await discoverIssuer(connection, signal)];
  return {
    get issuers() {
      return issuers;
    },
    locate: (judge) => ({
      kind: "reader",
      name: `${connection.server.origin}${keysPath}`,
      read: async (signal) => {
        const [issuer, set] = await Promise.all([
          discoverIssuer(connection, signal),
          connection.send({ path: keysPath, signal }),
        ]);
        judge(issuer);
        issuers = withNow(issuers, issuer);
        // In the text, so that another issuer is told like other keys, and what was verified before is forgotten.
        return JSON.stringify(isJsonObject(set) ? { ...set, issuer } : set);
      },
    }),
  };
}

function withNow(known: Issuers, now: string): Issuers {
  return [now, ...known.filter((each) => each !== now).slice(0, formerMax)];
}

async function discoverIssuer(connection: KubeConnection, signal: AbortSignal): Promise<string> {
  const document = await connection.send({ path: discoveryPath, signal });
  const issuer = isJsonObject(document) ? document["issuer"] : undefined;
  if (typeof issuer === "string" && issuer !== "" && issuer.length <= issuerCharsMax) return issuer;
  throw new KubeError("kube-answer", `GET ${discoveryPath}: expected an issuer, got none`, {
    hint: "see --service-account-issuer of the API server",
  });
}
