/** Why there is no test cluster, and what to do. */

import { PortcullisError } from "../../src/core/error.ts";

type KubeTestErrorCode =
  | "kube-assets-incomplete"
  | "kube-go-missing"
  | "kube-build-failed"
  | "kube-exited"
  | "kube-not-ready";

export class KubeTestError extends PortcullisError<KubeTestErrorCode> {
  override name = "KubeTestError";
}
