"""The variables of the process environment that the frameworks, and what they compute with, read:
what each library's change. Of a user's environment the values of these alone are published; of any
other not even the name, since tokens stand there too (Terraform's begin with TF_, as TensorFlow's).
What one framework alone reads is declared in its adapter's folder.

Names that say where something lies on a network, or who works there, are left out. Looked up in
what torch 2.13, jax 0.10.2, tensorflow 2.21 and their libraries read on the CPU (``os.environ`` in
their sources, capitals in their binaries); those of other libraries are of their manuals, from
memory. A name too many does no harm; one that is missing is kept from controlled workers by how it
begins, and in a stock environment it is passed on and not told.
"""

from __future__ import annotations

from collections.abc import Mapping

from backends.framework import NUMBERS, THREADS, Library
from suite.worker.frameworks import KNOWN

SHARED = (
    Library(
        name="OpenMP",
        begins=("OMP_", "GOMP_", "KMP_", "LIBOMP_"),
        reads={
            THREADS: "OMP_NUM_THREADS OMP_DYNAMIC OMP_PROC_BIND OMP_PLACES OMP_THREAD_LIMIT "
            "OMP_MAX_ACTIVE_LEVELS OMP_NESTED OMP_TEAMS_THREAD_LIMIT OMP_NUM_TEAMS "
            "GOMP_CPU_AFFINITY KMP_AFFINITY KMP_HW_SUBSET KMP_PLACE_THREADS "
            "KMP_TEAMS_THREAD_LIMIT KMP_DEVICE_THREAD_LIMIT KMP_ALL_THREADS KMP_MAX_THREADS "
            "KMP_HIDDEN_HELPER_AFFINITY LIBOMP_USE_HIDDEN_HELPER_TASK "
            "LIBOMP_NUM_HIDDEN_HELPER_THREADS",
            "speed": "OMP_WAIT_POLICY OMP_SCHEDULE OMP_STACKSIZE OMP_CANCELLATION "
            "OMP_ALLOCATOR OMP_MAX_TASK_PRIORITY OMP_TARGET_OFFLOAD OMP_DEFAULT_DEVICE "
            "OMP_DISPLAY_ENV OMP_DISPLAY_AFFINITY OMP_TOOL GOMP_SPINCOUNT "
            "GOMP_STACKSIZE GOMP_RTEMS_THREAD_POOLS GOMP_DEBUG KMP_BLOCKTIME KMP_LIBRARY "
            "KMP_SETTINGS KMP_STACKSIZE KMP_WARNINGS KMP_TPAUSE KMP_USER_LEVEL_MWAIT "
            "KMP_ENABLE_TASK_THROTTLING KMP_DUPLICATE_LIB_OK KMP_FORCE_REDUCTION "
            "KMP_PLAIN_BARRIER KMP_FORKJOIN_BARRIER KMP_REDUCTION_BARRIER "
            "KMP_PLAIN_BARRIER_PATTERN KMP_FORKJOIN_BARRIER_PATTERN "
            "KMP_REDUCTION_BARRIER_PATTERN KMP_MALLOC_POOL_INCR KMP_INIT_AT_FORK "
            "KMP_LOCK_KIND KMP_VERSION KMP_MONITOR_STACKSIZE",
            NUMBERS: "KMP_DETERMINISTIC_REDUCTION",
        },
    ),
    Library(
        name="oneDNN",
        begins=("ONEDNN_", "DNNL_", "MKLDNN_"),
        reads={
            NUMBERS: "ONEDNN_DEFAULT_FPMATH_MODE DNNL_DEFAULT_FPMATH_MODE ONEDNN_ACCUMULATION_MODE",
            "speed": "ONEDNN_MAX_CPU_ISA DNNL_MAX_CPU_ISA ONEDNN_CPU_ISA_HINTS "
            "DNNL_CPU_ISA_HINTS ONEDNN_PRIMITIVE_CACHE_CAPACITY DNNL_PRIMITIVE_CACHE_CAPACITY "
            "ONEDNN_GRAPH_COMPILED_PARTITION_CACHE_CAPACITY ONEDNN_CACHE_CONTEXT_UNSAFE "
            "DNNL_GRAPH_COMPILED_PARTITION_CACHE_CAPACITY "
            "ONEDNN_GRAPH_CONSTANT_TENSOR_CACHE_CAPACITY ONEDNN_VERBOSE DNNL_VERBOSE "
            "MKLDNN_VERBOSE ONEDNN_VERBOSE_TIMESTAMP ONEDNN_JIT_DUMP DNNL_JIT_DUMP "
            "ONEDNN_JIT_PROFILE DNNL_JIT_PROFILE ONEDNN_ENABLE_ITT "
            "ONEDNN_EXPERIMENTAL_BNORM_STATS_ONE_PASS ONEDNN_EXPERIMENTAL_GPU_CONV_V2",
        },
    ),
    Library(
        name="oneMKL",
        begins=("MKL_",),
        reads={
            THREADS: "MKL_NUM_THREADS MKL_DYNAMIC MKL_DOMAIN_NUM_THREADS MKL_NUM_STRIPES "
            "MKL_THREADING_LAYER",
            NUMBERS: "MKL_CBWR MKL_VML_MODE MKL_BLAS_COMPUTE_MODE",
            "speed": "MKL_ENABLE_INSTRUCTIONS MKL_DEBUG_CPU_TYPE MKL_INTERFACE_LAYER "
            "MKL_DISABLE_FAST_MM MKL_FAST_MEMORY_LIMIT MKL_VERBOSE MKL_SERVICE_FORCE_INTEL "
            "MKL_MPI_PPN MKL_DFTI_CHECK",
        },
    ),
    Library(
        name="OpenBLAS, BLIS and Accelerate",
        begins=("OPENBLAS_", "GOTO_", "BLIS_", "VECLIB_"),
        reads={
            THREADS: "OPENBLAS_NUM_THREADS OPENBLAS_DEFAULT_NUM_THREADS OPENBLAS_MAIN_FREE "
            "OPENBLAS_THREAD_TIMEOUT GOTO_NUM_THREADS GOTOBLAS_MAIN_FREE BLIS_NUM_THREADS "
            "BLIS_JC_NT BLIS_IC_NT BLIS_JR_NT BLIS_IR_NT VECLIB_MAXIMUM_THREADS",
            "speed": "OPENBLAS_CORETYPE OPENBLAS_VERBOSE OPENBLAS_BLOCK_FACTOR BLIS_ARCH_TYPE",
        },
    ),
    Library(
        name="oneTBB",
        begins=("TBB_",),
        reads={
            THREADS: "TBB_NUM_THREADS",
            "speed": "TBB_VERSION TBB_MALLOC_USE_HUGE_PAGES "
            "TBB_MALLOC_SET_HUGE_SIZE_THRESHOLD TBB_ENABLE_SANITIZERS",
        },
    ),
    Library(
        name="CUDA, cuBLAS and cuDNN",
        begins=("CUDA_", "CUBLAS", "CUDNN_", "CUSOLVER", "CUSPARSE", "CUFFT", "NCCL_"),
        reads={
            "devices": "CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER",
            NUMBERS: "NVIDIA_TF32_OVERRIDE CUBLAS_WORKSPACE_CONFIG CUBLASLT_WORKSPACE_SIZE "
            "CUBLAS_EMULATE_SINGLE_PRECISION CUBLAS_EMULATE_DOUBLE_PRECISION "
            "CUBLAS_EMULATION_STRATEGY CUBLAS_EMULATION_SPECIAL_VALUES_SUPPORT_MASK "
            "CUBLAS_FIXEDPOINT_EMULATION_MANTISSA_BIT_COUNT CUDNN_CONV_WSCAP_DBG",
            "speed": "CUDA_LAUNCH_BLOCKING CUDA_DEVICE_MAX_CONNECTIONS CUDA_MODULE_LOADING "
            "CUDA_MODULE_DATA_LOADING CUDA_CACHE_DISABLE CUDA_CACHE_PATH CUDA_CACHE_MAXSIZE "
            "CUDA_FORCE_PTX_JIT CUDA_DISABLE_PTX_JIT CUDA_FORCE_JIT CUDA_DISABLE_JIT "
            "CUDA_FORCE_PRELOAD_LIBRARIES CUDA_AUTO_BOOST CUDA_SCALE_LAUNCH_QUEUES "
            "CUDA_LOG_FILE CUDA_DEVICE_DEFAULT_PERSISTING_L2_CACHE_PERCENTAGE_LIMIT "
            "CUDA_MANAGED_FORCE_DEVICE_ALLOC CUDA_MPS_ACTIVE_THREAD_PERCENTAGE "
            "CUDA_ENABLE_COREDUMP_ON_EXCEPTION CUDA_GRAPHS_USE_NODE_PRIORITY "
            "CUDA_DISABLE_PERF_BOOST CUDA_BINARY_LOADER_THREAD_COUNT CUDA_PROFILE "
            "CUDA_INJECTION64_PATH CUBLAS_LOGINFO_DBG CUBLAS_LOGDEST_DBG CUBLASLT_LOG_LEVEL "
            "CUBLASLT_LOG_MASK CUBLASLT_HEURISTICS_CACHE_CAPACITY "
            "CUBLASLT_DISABLE_CPU_INSTRUCTIONS_MASK CUDNN_LOGINFO_DBG CUDNN_LOGLEVEL_DBG "
            "CUDNN_LOGDEST_DBG CUDNN_ERRATA_JSON_FILE CUDNN_FRONTEND_ATTN_DP_WORKSPACE_LIMIT "
            "CUDNN_FRONTEND_LOG_INFO NCCL_DEBUG NCCL_NTHREADS NCCL_MAX_NCHANNELS "
            "NCCL_MIN_NCHANNELS NCCL_ALGO NCCL_PROTO NCCL_P2P_DISABLE NCCL_SHM_DISABLE "
            "NCCL_IB_DISABLE NCCL_LAUNCH_MODE",
        },
        on_gpu=("CUBLAS", "CUDNN", "NVIDIA_"),
    ),
    Library(
        name="memory and the loader",
        begins=("MALLOC_", "LD_PRELOAD", "LD_AUDIT", "GLIBC_", "TCMALLOC_", "MIMALLOC_"),
        reads={
            "speed": "MALLOC_ARENA_MAX MALLOC_ARENA_TEST MALLOC_CHECK_ MALLOC_CONF "
            "MALLOC_MMAP_MAX_ MALLOC_MMAP_THRESHOLD_ MALLOC_PERTURB_ MALLOC_TOP_PAD_ "
            "MALLOC_TRIM_THRESHOLD_ MALLOC_TCACHE_COUNT GLIBC_TUNABLES LD_PRELOAD LD_AUDIT "
            "LD_BIND_NOW _RJEM_MALLOC_CONF TCMALLOC_RELEASE_RATE "
            "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD "
            "TCMALLOC_AGGRESSIVE_DECOMMIT MIMALLOC_ARENA_EAGER_COMMIT MIMALLOC_EAGER_COMMIT "
            "MIMALLOC_ALLOW_LARGE_OS_PAGES MIMALLOC_LARGE_OS_PAGES MIMALLOC_PURGE_DELAY "
            "MIMALLOC_PAGE_RESET MIMALLOC_RESERVE_HUGE_OS_PAGES MIMALLOC_SHOW_STATS "
            "MIMALLOC_VERBOSE",
        },
    ),
    Library(
        name="Python",
        begins=("PYTHON",),
        reads={
            "speed": "PYTHONHASHSEED PYTHONMALLOC PYTHONMALLOCSTATS PYTHONOPTIMIZE "
            "PYTHONDEVMODE PYTHONDEBUG PYTHONTRACEMALLOC PYTHONFAULTHANDLER "
            "PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED PYTHONNOUSERSITE PYTHONUTF8 "
            "PYTHONVERBOSE PYTHONPROFILEIMPORTTIME PYTHONASYNCIODEBUG PYTHONWARNINGS "
            "PYTHONPERFSUPPORT PYTHONNODEBUGRANGES PYTHON_GIL PYTHON_JIT PYTHON_CPU_COUNT "
            "PYTHON_FROZEN_MODULES",
        },
    ),
    Library(
        name="profilers",
        begins=("INTEL_LIBITTNOTIFY", "INTEL_JIT_PROFILER", "INTEL_ITTNOTIFY"),
        reads={"speed": "INTEL_ISA_DISABLE INTEL_LIBITTNOTIFY64 INTEL_JIT_PROFILER64"},
    ),
)
# Where something is installed, which frameworks need to find it.
PLACES = {
    *("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "CUDA_DIR", "CUDA_INC_PATH", "CUDA_TOOLKIT_PATH"),
    *("CUDNN_HOME", "CUDNN_PATH", "CUDNN_LIBRARY"),
}
LESS = ("fast_math", "fast_min_max", "precision", "bf16", "fp16", "tf32", "reduced")  # in flags


def libraries() -> tuple[Library, ...]:
    """All that are known now."""
    return (*SHARED, *KNOWN.values())


def changes() -> dict[str, str]:
    """The known variables, {name: what it changes}."""
    reads = [each for library in libraries() for each in library.reads.items()]
    return {name: what for what, names in reads for name in names.split()}


def families() -> tuple[str, ...]:
    """How the names of what libraries read begin."""
    return tuple(begin for library in libraries() for begin in library.begins)


def is_read(name: str) -> bool:
    """May a framework read it? Known, or its name begins as those of a framework do."""
    return name in changes() or (name.startswith(families()) and name not in PLACES)


def are_flags(name: str) -> bool:
    """Is its value a list of options, or the name of a file of them?"""
    return any(name in library.flags for library in libraries())


def numbers(settings: Mapping[str, str], device: str) -> dict[str, str]:
    """Of these variables those that may make numbers less precise on the device."""
    what = changes()
    on_gpu = tuple(begin for library in libraries() for begin in library.on_gpu)
    return {
        name: value
        for name, value in settings.items()
        if (what.get(name) == NUMBERS and (device == "cuda" or not name.startswith(on_gpu)))
        or (are_flags(name) and any(word in value for word in LESS))
    }
