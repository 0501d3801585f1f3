/** What an operator asks of verdicts and flips. */

/** `NAMESPACE/NAME`, `NAMESPACE/NAME:PORT` or `NAMESPACE`, and who asks. */
interface TargetRequest {
  readonly target: string;
  readonly operator: string;
}

/** In seconds; undefined for the server's setting. */
interface LookBack {
  readonly lookBack: number | undefined;
}

export interface CheckRequest extends TargetRequest, LookBack {}

export interface PlanRequest extends LookBack {
  readonly namespace: string;
  readonly operator: string;
}

export interface FlipRequest extends TargetRequest, LookBack {
  /** As the command line has them; "" for the server's default. */
  readonly stages: string;
  /** In seconds; undefined for the server's default. */
  readonly revertWindow: number | undefined;
  /** By how many named workloads; 0 for never. */
  readonly revertOnRefused: number;
  /** Nothing is changed. */
  readonly dryRun: boolean;
  /** The object is written by somebody else, and waited for. */
  readonly awaitsObject: boolean;
}

export interface RevertRequest extends TargetRequest {
  readonly reason: string;
  readonly dryRun: boolean;
}

export interface PermissiveRequest extends TargetRequest {
  readonly untilMs: number;
  readonly owner: string;
  readonly dryRun: boolean;
}

export interface CallerWaiverRequest extends TargetRequest {
  /** Exactly as the verdict has them. */
  readonly names: readonly string[];
  readonly reason: string;
  readonly untilMs: number;
}

export interface EndWaiverRequest extends TargetRequest {
  readonly name: string;
  readonly reason: string;
}
