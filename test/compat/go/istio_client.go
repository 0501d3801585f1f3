package main

import (
	"context"
	"crypto"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/retry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	"istio.io/api/security/v1alpha1"
)

const (
	secretTTL    = 24 * time.Hour
	clusterID    = "Kubernetes"
	callsMax     = 5
	firstRetry   = 100 * time.Millisecond
	retryJitter  = 0.1
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = time.Minute
)

// What Istio's agent retries by itself. All else goes up to the loop around it.
var retriedCodes = []codes.Code{
	codes.Canceled, codes.DeadlineExceeded, codes.ResourceExhausted,
	codes.Aborted, codes.Internal, codes.Unavailable,
}

type roundLine struct {
	Step  string `json:"step"`
	Calls int    `json:"calls"`
	Code  string `json:"code"`
	Error string `json:"error"`
}

// One client of the CA, in the manner of one of Istio's.
type caClient struct {
	server       *serverAddress
	tokenFile    *string
	id           *string
	impersonate  *string
	certificates *int
	rounds       *int
	newKey       func() (crypto.Signer, error)
	retries      bool
	conn         *grpc.ClientConn
	calls        int
}

// istioAgent: an RSA key for each certificate, five calls a round with pauses from 100 ms, and after
// a round that failed a new connection and a pause from 500 ms.
func istioAgent(flags *flag.FlagSet) func(context.Context) error {
	return caClientOf(flags, newRSAKey, true).run
}

// ztunnel: a P-256 key, and no retries below its own loop. It can ask for the certificate of a
// workload on its node, in a field of the metadata.
func ztunnel(flags *flag.FlagSet) func(context.Context) error {
	return caClientOf(flags, newP256Key, false).run
}

func caClientOf(flags *flag.FlagSet, newKey func() (crypto.Signer, error), retries bool) *caClient {
	return &caClient{
		server:       serverFlags(flags),
		tokenFile:    flags.String("token-file", "", "read again for each call; may be missing"),
		id:           flags.String("san", "", "of the CSR"),
		impersonate:  flags.String("impersonate", "", "SPIFFE ID to ask for in the metadata"),
		certificates: flags.Int("certificates", 1, "to get, one after the other"),
		rounds:       flags.Int("rounds", 1, "that may fail before it gives up"),
		newKey:       newKey,
		retries:      retries,
	}
}

func (client *caClient) run(ctx context.Context) error {
	defer client.close()
	failed, backoff := 0, firstBackoff
	for got := 0; got < *client.certificates; {
		client.calls = 0
		line, err := client.certify(ctx)
		if err == nil {
			emit(line)
			got++
			backoff = firstBackoff
			continue
		}
		refusal, isStatus := status.FromError(err)
		if !isStatus {
			return err
		}
		emit(roundLine{Step: "round", Calls: client.calls, Code: refusal.Code().String(), Error: refusal.Message()})
		if failed++; failed >= *client.rounds {
			return nil
		}
		// The roots may have changed, so they are read again.
		client.close()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, lastBackoff)
	}
	return nil
}

func (client *caClient) certify(ctx context.Context) (line certificateLine, err error) {
	conn, err := client.connect()
	if err != nil {
		return line, err
	}
	key, err := client.newKey()
	if err != nil {
		return line, err
	}
	csr, err := istioCSR(key, *client.id)
	if err != nil {
		return line, err
	}
	asked, err := client.headers(ctx)
	if err != nil {
		return line, err
	}
	fields := map[string]any{"WorkloadName": "stock-client"}
	if *client.impersonate != "" {
		fields["ImpersonatedIdentity"] = *client.impersonate
	}
	details, err := structpb.NewStruct(fields)
	if err != nil {
		return line, err
	}
	reply, err := v1alpha1.NewIstioCertificateServiceClient(conn).CreateCertificate(asked, &v1alpha1.IstioCertificateRequest{
		Csr:              string(csr),
		ValidityDuration: int64(secretTTL.Seconds()),
		Metadata:         details,
	})
	if err != nil {
		return line, err
	}
	line, err = checkReply(reply.CertChain, key)
	if err != nil {
		return line, fmt.Errorf("reply: %w", err)
	}
	return line, nil
}

// A missing token is no error: it may have a certificate instead.
func (client *caClient) headers(ctx context.Context) (context.Context, error) {
	asked := metadata.AppendToOutgoingContext(ctx, "ClusterID", clusterID)
	token, err := os.ReadFile(*client.tokenFile)
	if errors.Is(err, fs.ErrNotExist) {
		return asked, nil
	}
	if err != nil {
		return nil, err
	}
	return metadata.AppendToOutgoingContext(asked, "authorization", "Bearer "+strings.TrimSpace(string(token))), nil
}

func (client *caClient) connect() (*grpc.ClientConn, error) {
	if client.conn != nil {
		return client.conn, nil
	}
	count := func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		client.calls++
		return invoke(ctx, method, request, reply, conn, options...)
	}
	interceptors := []grpc.UnaryClientInterceptor{count}
	if client.retries {
		again := retry.UnaryClientInterceptor(
			retry.WithMax(callsMax),
			retry.WithBackoff(retry.BackoffExponentialWithJitter(firstRetry, retryJitter)),
			retry.WithCodes(retriedCodes...),
		)
		interceptors = []grpc.UnaryClientInterceptor{again, count}
	}
	conn, err := client.server.dial(grpc.WithChainUnaryInterceptor(interceptors...))
	client.conn = conn
	return conn, err
}

func (client *caClient) close() {
	if client.conn != nil {
		_ = client.conn.Close()
		client.conn = nil
	}
}
