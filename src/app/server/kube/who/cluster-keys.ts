/**
 * The issuer of a cluster's tokens, and where its keys are, as the API server itself says (OpenID Connect Discovery 1.0; Kubernetes:
 * "Service account issuer discovery"). Its own copy of the keys is read, and never the place that `jwks_uri` names: nobody else may say
 * who is who.
 */

import { isJsonObject } from "../../../../core/identity/json-object.ts";
import type { JwksLocation } from "../../../../edge/authn/jwks-document.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";

export interface ClusterKeys {
  readonly issuer: string;
  readonly location: JwksLocation;
}

const discoveryPath = "/.well-known/openid-configuration";
const keysPath = "/openid/v1/jwks";
const issuerCharsMax = 1_024;

/** Of several issuers discovery knows the first: that of all tokens that are made now. @throws KubeError */
export async function clusterKeys(
  connection: KubeConnection,
  signal: AbortSignal,
): Promise<ClusterKeys> {
  return {
    issuer: await discoverIssuer(connection, signal),
    location: {
      kind: "reader",
      name: `${connection.server.origin}${keysPath}`,
      read: async (signal) => JSON.stringify(await connection.send({ path: keysPath, signal })),
    },
  };
}

async function discoverIssuer(connection: KubeConnection, signal: AbortSignal): Promise<string> {
  const document = await connection.send({ path: discoveryPath, signal });
  const issuer = isJsonObject(document) ? document["issuer"] : undefined;
  if (typeof issuer === "string" && issuer !== "" && issuer.length <= issuerCharsMax) return issuer;
  throw new KubeError("kube-answer", `GET ${discoveryPath}: expected an issuer, got none`, {
    hint: "see --service-account-issuer of the API server",
  });
}
