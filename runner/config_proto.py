"""``tf.compat.v1.ConfigProto`` as plain dataclasses, whose fields have its names.

Unlike in ``runner.config``, null is the default of each field, since null keeps TensorFlow's own
default; a test holds every field, type and name of an enum to the installed TensorFlow.

YAML reads a bare ON or OFF as true or false, and so these stand for ON and OFF.
"""

from dataclasses import dataclass, field
from typing import Any

TOGGLE = ("DEFAULT", "ON", "OFF", "AGGRESSIVE", "EXPERIMENTAL_MLIR", "EXPERIMENTAL_BOTH")


def _choice(*names: str) -> Any:
    """Returns a field that takes one of the names of an enum."""
    return field(default=None, metadata={"choices": names})


def _toggle() -> Any:
    return _choice(*TOGGLE)


def _int64() -> Any:
    """Returns a field of 64 bits, where others have 32."""
    return field(default=None, metadata={"bits": 64})


@dataclass
class ThreadPoolOptionConfig:
    """A thread pool of the Session's own.

    Attributes:
        num_threads: Its threads; 0 for as many as ``inter_op_parallelism_threads`` says.
        global_name: Sessions of a process that give the same name share one pool.
    """

    num_threads: int | None = None
    global_name: str | None = None


@dataclass
class VirtualDevicesConfig:
    """The virtual GPUs that one GPU is divided into.

    Attributes:
        memory_limit_mb: The memory of each; empty for one that may take all.
        priority: The priority of each one's stream; lower goes first.
        device_ordinal: The number that each is listed by.
    """

    memory_limit_mb: list[float] = field(default_factory=list)
    priority: list[int] = field(default_factory=list)
    device_ordinal: list[int] = field(default_factory=list)


@dataclass
class StreamMergeOptionsConfig:
    """Which streams of a GPU are one with its compute stream.

    Attributes:
        merge_host_to_device_stream: Whether copies to the GPU are.
        merge_device_to_host_stream: Whether copies from the GPU are.
        merge_device_to_device_stream: Whether copies between GPUs are.
    """

    merge_host_to_device_stream: bool | None = None
    merge_device_to_host_stream: bool | None = None
    merge_device_to_device_stream: bool | None = None


@dataclass
class GPUExperimentalConfig:
    """``GPUOptions.Experimental``: what TensorFlow may change without notice.

    Attributes:
        virtual_devices: How each visible GPU is divided; not with a memory fraction.
        num_virtual_devices_per_gpu: Virtual GPUs on each GPU, with equal shares of its memory.
        use_unified_memory: Let a memory fraction above 1 spill over into the host's memory.
        num_dev_to_dev_copy_streams: Streams for copies between GPUs, 1 to 4.
        collective_ring_order: Comma-separated GPU ids, the order of a ring of collectives.
        timestamped_allocator: Let freed memory be used anew without waiting for its stream.
        kernel_tracker_max_interval: Kernels between two events that track them; 0 for none.
        kernel_tracker_max_bytes: Bytes that kernels may take between two such events.
        kernel_tracker_max_pending: Tracked kernels that may be pending; 0 for no limit.
        internal_fragmentation_fraction: Share of a chunk that may stay unused before it is split.
        use_cuda_malloc_async: Take memory by cudaMallocAsync in place of TensorFlow's allocator.
        disallow_retry_on_allocation_failure: Fail at once where memory is short.
        gpu_host_mem_limit_in_mb: The most pinned memory of the host.
        gpu_host_mem_disallow_growth: Take the host's pinned memory all at the start.
        gpu_system_memory_size_in_mb: Memory left to the system; 0 for TensorFlow's choice.
        populate_pjrt_gpu_client_creation_info: Keep what a PJRT client is created from.
        node_id: The number of this process among those of a PJRT client.
        stream_merge_options: Which streams are one with the compute stream.
    """

    virtual_devices: list[VirtualDevicesConfig] = field(default_factory=list)
    num_virtual_devices_per_gpu: int | None = None
    use_unified_memory: bool | None = None
    num_dev_to_dev_copy_streams: int | None = None
    collective_ring_order: str | None = None
    timestamped_allocator: bool | None = None
    kernel_tracker_max_interval: int | None = None
    kernel_tracker_max_bytes: int | None = None
    kernel_tracker_max_pending: int | None = None
    internal_fragmentation_fraction: float | None = None
    use_cuda_malloc_async: bool | None = None
    disallow_retry_on_allocation_failure: bool | None = None
    gpu_host_mem_limit_in_mb: float | None = None
    gpu_host_mem_disallow_growth: bool | None = None
    gpu_system_memory_size_in_mb: int | None = None
    populate_pjrt_gpu_client_creation_info: bool | None = None
    node_id: int | None = None
    stream_merge_options: StreamMergeOptionsConfig = field(default_factory=StreamMergeOptionsConfig)


@dataclass
class GPUOptionsConfig:
    """``GPUOptions``: memory and visibility of the GPUs, fixed by the process's first Session.

    Attributes:
        per_process_gpu_memory_fraction: Share of each GPU's memory to take at the most, 0 to 1.
        allow_growth: Take GPU memory as it is needed rather than all at the start.
        allocator_type: ``BFC``, or empty for TensorFlow's choice.
        deferred_deletion_bytes: Bytes whose release may be put off.
        visible_device_list: Comma-separated GPU ids to use, in the order they are to have.
        polling_active_delay_usecs: Microseconds between looks at a queue of events that has some.
        polling_inactive_delay_msecs: Milliseconds between looks at one that has none.
        force_gpu_compatible: Keep every tensor of the CPU in pinned memory.
        experimental: What TensorFlow may change without notice.
    """

    per_process_gpu_memory_fraction: float | None = None
    allow_growth: bool | None = None
    allocator_type: str | None = None
    deferred_deletion_bytes: int | None = _int64()
    visible_device_list: str | None = None
    polling_active_delay_usecs: int | None = None
    polling_inactive_delay_msecs: int | None = None
    force_gpu_compatible: bool | None = None
    experimental: GPUExperimentalConfig = field(default_factory=GPUExperimentalConfig)


@dataclass
class OptimizerOptionsConfig:
    """``OptimizerOptions``: optimizations of a graph on one device, and XLA.

    Attributes:
        do_common_subexpression_elimination: Compute what is computed twice once, also at L0.
        do_constant_folding: Compute what depends on no feed once, also at L0.
        max_folded_constant_in_bytes: The largest constant that folding makes; 0 for 10 MiB.
        do_function_inlining: Inline functions.
        opt_level: L1 does both of the first two; L0 does neither.
        global_jit_level: Compile clusters of operations by XLA: ON_1, ON_2, OFF or DEFAULT (off).
        cpu_global_jit: Compile on a CPU too, whatever the level.
    """

    do_common_subexpression_elimination: bool | None = None
    do_constant_folding: bool | None = None
    max_folded_constant_in_bytes: int | None = _int64()
    do_function_inlining: bool | None = None
    opt_level: str | None = _choice("L1", "L0")
    global_jit_level: str | bool | None = _choice("DEFAULT", "OFF", "ON_1", "ON_2")
    cpu_global_jit: bool | None = None


@dataclass
class AutoParallelOptionsConfig:
    """``AutoParallelOptions``: replicas of the graph.

    Attributes:
        enable: Whether there are any.
        num_replicas: How many.
    """

    enable: bool | None = None
    num_replicas: int | None = None


@dataclass
class ScopedAllocatorOptionsConfig:
    """``ScopedAllocatorOptions``: what the scoped allocator works on.

    Attributes:
        enable_op: Types of operations.
    """

    enable_op: list[str] = field(default_factory=list)


@dataclass
class CustomGraphOptimizerConfig:
    """``RewriterConfig.CustomGraphOptimizer``: an optimizer that a plug-in registered.

    Attributes:
        name: Its name.
        parameter_map: Its parameters: texts, numbers, booleans.
    """

    name: str | None = None
    parameter_map: dict[str, Any] = field(default_factory=dict)


@dataclass
class VerifierConfig:
    """``VerifierConfig``: checks of what the rewriter made.

    Attributes:
        verification_timeout_in_ms: Milliseconds a check may take.
        structure_verifier: Whether the graph's structure is checked.
    """

    verification_timeout_in_ms: int | None = _int64()
    structure_verifier: str | bool | None = _choice("DEFAULT", "ON", "OFF")


@dataclass
class RewriterConfig:
    """``RewriterConfig``: Grappler, which rewrites a graph before it is run.

    A toggle is ON, OFF, AGGRESSIVE or DEFAULT.

    Attributes:
        cpu_layout_conversion: The layout that images are converted to on a CPU.
        layout_optimizer: Toggle of layouts that suit the device.
        constant_folding: Toggle of folding.
        shape_optimization: Toggle of simpler arithmetic on shapes.
        remapping: Toggle of fused operations, such as Conv2D with bias and activation.
        common_subgraph_elimination: Toggle of computing equal subgraphs once.
        arithmetic_optimization: Toggle of simpler arithmetic.
        dependency_optimization: Toggle of fewer control dependencies.
        loop_optimization: Toggle of work moved out of loops.
        function_optimization: Toggle of inlined and specialized functions.
        debug_stripper: Toggle of removed assertions, checks and prints.
        disable_model_pruning: Keep what adds nothing, such as Identity.
        scoped_allocator_optimization: Toggle of neighbouring memory for collectives.
        pin_to_host_optimization: Toggle of small operations moved to the CPU.
        implementation_selector: Toggle of choosing a function's variant for the device.
        auto_mixed_precision: Toggle of float16 on GPUs.
        auto_mixed_precision_mkl: Toggle of bfloat16 by oneDNN.
        auto_mixed_precision_onednn_bfloat16: Toggle of bfloat16 by oneDNN.
        auto_mixed_precision_cpu: Toggle of float16 on CPUs.
        disable_meta_optimizer: Rewrite nothing.
        disable_tfg_optimizer: Leave out the rewriter that is built on MLIR.
        use_plugin_optimizers: Toggle of rewriters that plug-ins bring.
        experimental_conditional_code_motion: Toggle of work moved out of branches.
        meta_optimizer_iterations: How often all of it is done.
        min_graph_nodes: Leave smaller graphs as they are; -1 for none.
        experimental_disable_compressed_tensor_optimization: Keep constants uncompressed.
        experimental_disable_folding_quantization_emulation: Keep fake quantization unfolded.
        memory_optimization: How memory is saved.
        memory_optimizer_target_node_name_scope: The scope whose inputs may be computed again.
        meta_optimizer_timeout_ms: Milliseconds all of it may take; 0 for no limit.
        auto_parallel: Replicas of the graph.
        fail_on_optimizer_errors: Fail where a rewriter does.
        scoped_allocator_opts: What the scoped allocator works on.
        optimizers: The rewriters to use, in order, in place of the toggles.
        custom_optimizers: Rewriters that plug-ins registered.
        inter_optimizer_verifier_config: Checks after each rewriter.
        post_optimization_verifier_config: Checks at the end.
    """

    cpu_layout_conversion: str | None = _choice(
        "NO_CONVERSION_ON_CPU", "NCHW_TO_NHWC", "NHWC_TO_NCHW"
    )
    layout_optimizer: str | bool | None = _toggle()
    constant_folding: str | bool | None = _toggle()
    shape_optimization: str | bool | None = _toggle()
    remapping: str | bool | None = _toggle()
    common_subgraph_elimination: str | bool | None = _toggle()
    arithmetic_optimization: str | bool | None = _toggle()
    dependency_optimization: str | bool | None = _toggle()
    loop_optimization: str | bool | None = _toggle()
    function_optimization: str | bool | None = _toggle()
    debug_stripper: str | bool | None = _toggle()
    disable_model_pruning: bool | None = None
    scoped_allocator_optimization: str | bool | None = _toggle()
    pin_to_host_optimization: str | bool | None = _toggle()
    implementation_selector: str | bool | None = _toggle()
    auto_mixed_precision: str | bool | None = _toggle()
    auto_mixed_precision_mkl: str | bool | None = _toggle()
    auto_mixed_precision_onednn_bfloat16: str | bool | None = _toggle()
    auto_mixed_precision_cpu: str | bool | None = _toggle()
    disable_meta_optimizer: bool | None = None
    disable_tfg_optimizer: bool | None = None
    use_plugin_optimizers: str | bool | None = _toggle()
    experimental_conditional_code_motion: str | bool | None = _toggle()
    meta_optimizer_iterations: str | None = _choice("DEFAULT_NUM_ITERS", "ONE", "TWO")
    min_graph_nodes: int | None = None
    experimental_disable_compressed_tensor_optimization: bool | None = None
    experimental_disable_folding_quantization_emulation: bool | None = None
    memory_optimization: str | None = _choice(
        "DEFAULT_MEM_OPT",
        "NO_MEM_OPT",
        "MANUAL",
        "SWAPPING_HEURISTICS",
        "RECOMPUTATION_HEURISTICS",
        "SCHEDULING_HEURISTICS",
        "HEURISTICS",
    )
    memory_optimizer_target_node_name_scope: str | None = None
    meta_optimizer_timeout_ms: int | None = _int64()
    auto_parallel: AutoParallelOptionsConfig = field(default_factory=AutoParallelOptionsConfig)
    fail_on_optimizer_errors: bool | None = None
    scoped_allocator_opts: ScopedAllocatorOptionsConfig = field(
        default_factory=ScopedAllocatorOptionsConfig
    )
    optimizers: list[str] = field(default_factory=list)
    custom_optimizers: list[CustomGraphOptimizerConfig] = field(default_factory=list)
    inter_optimizer_verifier_config: VerifierConfig = field(default_factory=VerifierConfig)
    post_optimization_verifier_config: VerifierConfig = field(default_factory=VerifierConfig)


@dataclass
class GraphOptionsConfig:
    """``GraphOptions``: what is done to a graph before it is run.

    Attributes:
        enable_recv_scheduling: Order what devices receive from one another.
        optimizer_options: Optimizations on one device, and XLA.
        build_cost_model: Steps before a model of costs is made; 0 for none.
        build_cost_model_after: Steps that it leaves out.
        infer_shapes: Note the shape of every output.
        place_pruned_graph: Place only the part of the graph that is run.
        enable_bfloat16_sendrecv: Send floats between processes as bfloat16.
        timeline_step: Record a timeline every so many steps; 0 for never.
        rewrite_options: Grappler.
    """

    enable_recv_scheduling: bool | None = None
    optimizer_options: OptimizerOptionsConfig = field(default_factory=OptimizerOptionsConfig)
    build_cost_model: int | None = _int64()
    build_cost_model_after: int | None = _int64()
    infer_shapes: bool | None = None
    place_pruned_graph: bool | None = None
    enable_bfloat16_sendrecv: bool | None = None
    timeline_step: int | None = None
    rewrite_options: RewriterConfig = field(default_factory=RewriterConfig)


@dataclass
class RPCOptionsConfig:
    """``RPCOptions``: how a Session speaks to a server.

    Attributes:
        use_rpc_for_inprocess_master: Go through the network also within a process.
        compression_algorithm: ``deflate`` or ``gzip``; empty for none.
        compression_level: 0 (none) to 3 (high).
        cache_rpc_response: Keep answers, for a client that asks again.
        disable_session_connection_sharing: Open connections of the Session's own.
        num_channels_per_target: Connections to each process; 0 for one.
    """

    use_rpc_for_inprocess_master: bool | None = None
    compression_algorithm: str | None = None
    compression_level: int | None = None
    cache_rpc_response: bool | None = None
    disable_session_connection_sharing: bool | None = None
    num_channels_per_target: int | None = None


@dataclass
class JobConfig:
    """``JobDef``: processes of one kind.

    Attributes:
        name: Their name, such as ``worker``.
        tasks: Each one's number and ``host:port``.
    """

    name: str | None = None
    tasks: dict[int, str] = field(default_factory=dict)


@dataclass
class ClusterConfig:
    """``ClusterDef``: the processes of a cluster.

    Attributes:
        job: The kinds of them.
    """

    job: list[JobConfig] = field(default_factory=list)


@dataclass
class SessionMetadataConfig:
    """``SessionMetadata``: what profiles name the Session by.

    Attributes:
        name: The name.
        version: The version.
    """

    name: str | None = None
    version: int | None = _int64()


@dataclass
class CoordinatedJobConfig:
    """``CoordinatedJob``: processes of one kind that are coordinated.

    Attributes:
        name: Their name.
        num_tasks: How many.
    """

    name: str | None = None
    num_tasks: int | None = None


@dataclass
class CoordinationServiceConfig:
    """``CoordinationServiceConfig``: how the processes of a cluster watch one another.

    Attributes:
        service_type: ``standalone``, or empty for none.
        service_leader: The process that leads, such as ``/job:worker/task:0``.
        enable_health_check: Send heartbeats.
        cluster_register_timeout_in_ms: Milliseconds that all may take to come.
        cluster_register_with_barrier: Wait for all of them.
        heartbeat_timeout_in_ms: Milliseconds without a heartbeat after which one is lost.
        coordinated_job_list: Who is coordinated.
        shutdown_barrier_timeout_in_ms: Milliseconds to wait for the others at the end.
        agent_destruction_without_shutdown: End without telling the others.
        recoverable_jobs: Those that may be lost and come back.
        allow_new_incarnation_to_reconnect: Let a process that was started anew come back.
        force_disable: Coordinate nothing.
        poll_for_error_from_service_at_startup: Ask the leader for errors from the start.
    """

    service_type: str | None = None
    service_leader: str | None = None
    enable_health_check: bool | None = None
    cluster_register_timeout_in_ms: int | None = _int64()
    cluster_register_with_barrier: bool | None = None
    heartbeat_timeout_in_ms: int | None = _int64()
    coordinated_job_list: list[CoordinatedJobConfig] = field(default_factory=list)
    shutdown_barrier_timeout_in_ms: int | None = _int64()
    agent_destruction_without_shutdown: bool | None = None
    recoverable_jobs: list[str] = field(default_factory=list)
    allow_new_incarnation_to_reconnect: bool | None = None
    force_disable: bool | None = None
    poll_for_error_from_service_at_startup: bool | None = None


@dataclass
class ExperimentalConfig:
    """``ConfigProto.Experimental``: what TensorFlow may change without notice.

    Attributes:
        collective_group_leader: The process that leads collectives.
        executor_type: ``SINGLE_THREADED_EXECUTOR`` (no loops or branches), or empty.
        recv_buf_max_chunk: The most bytes of a message between processes; 0 for TensorFlow's.
        use_numa_affinity: Keep threads near the memory they use.
        collective_deterministic_sequential_execution: Run collectives one by one in order.
        collective_nccl: Run collectives of GPUs by NCCL.
        share_session_state_in_clusterspec_propagation: Let Sessions of one cluster share variables.
        disable_thread_spinning: Let threads that wait sleep at once.
        share_cluster_devices_in_session: Let the Session use the devices of the whole cluster.
        session_metadata: What profiles name the Session by.
        optimize_for_static_graph: Take the graph for final, and keep less of it.
        enable_mlir_bridge: Compile for TPUs through MLIR.
        mlir_bridge_rollout: The same, by name.
        enable_mlir_graph_optimization: Optimize the graph through MLIR.
        disable_output_partition_graphs: Do not keep the graphs of the devices.
        xla_fusion_autotuner_thresh: Fusions that XLA measures rather than guesses; 0 for none.
        use_tfrt: Run by TensorFlow's other runtime.
        enable_multi_host: Let that runtime span hosts.
        tfrt_use_ifrt: Let that runtime use IFRT.
        backend_server_port: The port of that runtime's server.
        target_tpu: Compile for a TPU that is elsewhere.
        target_gpu: Compile for a GPU that is elsewhere.
        stream_merge_threshold: The cost under which that runtime merges streams.
        disable_functional_ops_lowering: Run If and While as they are.
        xla_prefer_single_graph_cluster: Let XLA make one cluster of all.
        coordination_config: How the processes of a cluster watch one another.
        disable_optimize_for_static_graph: Never take the graph for final.
        disable_eager_executor_streaming_enqueue: Send remote eager operations one by one.
        finalize_function_library_runtime: Take the functions for final.
        finalize_resource_manager: Take the resources for final.
        tf2xla_dump_dir: The folder that XLA's bridge writes graphs to.
        online_cost_analysis: Measure costs while running.
    """

    collective_group_leader: str | None = None
    executor_type: str | None = None
    recv_buf_max_chunk: int | None = None
    use_numa_affinity: bool | None = None
    collective_deterministic_sequential_execution: bool | None = None
    collective_nccl: bool | None = None
    share_session_state_in_clusterspec_propagation: bool | None = None
    disable_thread_spinning: bool | None = None
    share_cluster_devices_in_session: bool | None = None
    session_metadata: SessionMetadataConfig = field(default_factory=SessionMetadataConfig)
    optimize_for_static_graph: bool | None = None
    enable_mlir_bridge: bool | None = None
    mlir_bridge_rollout: str | None = _choice(
        "MLIR_BRIDGE_ROLLOUT_UNSPECIFIED",
        "MLIR_BRIDGE_ROLLOUT_ENABLED",
        "MLIR_BRIDGE_ROLLOUT_DISABLED",
    )
    enable_mlir_graph_optimization: bool | None = None
    disable_output_partition_graphs: bool | None = None
    xla_fusion_autotuner_thresh: int | None = _int64()
    use_tfrt: bool | None = None
    enable_multi_host: bool | None = None
    tfrt_use_ifrt: bool | None = None
    backend_server_port: int | None = None
    target_tpu: bool | None = None
    target_gpu: bool | None = None
    stream_merge_threshold: int | None = None
    disable_functional_ops_lowering: bool | None = None
    xla_prefer_single_graph_cluster: bool | None = None
    coordination_config: CoordinationServiceConfig = field(
        default_factory=CoordinationServiceConfig
    )
    disable_optimize_for_static_graph: bool | None = None
    disable_eager_executor_streaming_enqueue: bool | None = None
    finalize_function_library_runtime: bool | None = None
    finalize_resource_manager: bool | None = None
    tf2xla_dump_dir: str | None = None
    online_cost_analysis: bool | None = None


def enum_name(value: str | bool) -> str:
    """Returns the name of an enum's value that was written as `value`."""
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    return value
