/** Whose tokens are let in: their issuer and keys as the API server publishes them, and audiences that must not be one another's. */

import { critical, orOk, warning, type Said } from "./finding.ts";

export interface AudienceFacts {
  /** The `iss` that the server believes; undefined where it takes what the API server says. */
  readonly issuer: string | undefined;
  /** As the API server says. */
  readonly published: string;
  /** How many keys it publishes for tokens. */
  readonly keys: number;
  /** Of workloads. */
  readonly audiences: readonly string[];
  /** Of operators. */
  readonly adminAudience: string;
}

export function checkAudiences(facts: AudienceFacts): readonly Said[] {
  const { published, keys, audiences, adminAudience } = facts;
  const issuer = facts.issuer ?? published;
  const found: Said[] = [];
  if (issuer !== published) {
    const finding = `tokens of ${issuer} are believed, and the API server issues them as ${published}`;
    const hint = "right where the API server has several issuers; else leave --token-issuer out";
    found.push(warning(finding, hint));
  }
  if (keys === 0) {
    found.push(
      critical("the API server publishes no key for tokens", "kubectl get --raw /openid/v1/jwks"),
    );
  }
  if (audiences.length === 0) {
    found.push(critical("no audience is taken: no token is let in", "give --audience istio-ca"));
  }
  if (audiences.includes(adminAudience)) {
    const finding = `${adminAudience} is the audience of operators and of workloads`;
    found.push(
      critical(finding, "give another --admin-audience: a workload's token is an operator's"),
    );
  }
  const own = [issuer, published].find((each) => audiences.includes(each));
  if (own !== undefined) {
    const finding = `${own} is the API server's own audience by default: a workload's token is good there, too`;
    found.push(
      warning(finding, "ask workloads for tokens with an audience of their own, such as istio-ca"),
    );
  }
  return orOk(found, `tokens of ${published} for ${audiences.join(", ")}`);
}
