/* Windows on their way to a block: copied, or as clamp((x - centre) / scale) in the same pass.

   Three passes of a vector library take more than three times as long: each reads the window again. Subtraction,
   division and comparison are exact, so the numbers are those of the passes, to the bit.

   Large blocks are streamed past the caches: the pool gives each block again only after the others, so that what is
   written would first be read from memory (18 us a window of 131 kB against 11, measured). */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define CHUNK 2048 /* floats: 8 kB, which stay in the first cache */

/* The widest vectors of the processor it runs on, not of the one it was compiled on. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

FOR_EACH_PROCESSOR
static void scale(const float *restrict source, float *restrict place, Py_ssize_t rows,
                  const float *restrict centre, const float *restrict divisor,
                  Py_ssize_t channels, float limit)
{
    for (Py_ssize_t row = 0; row < rows; row++, source += channels, place += channels) {
        for (Py_ssize_t i = 0; i < channels; i++) {
            float value = (source[i] - centre[i]) / divisor[i];
            /* Written so that NaN stays NaN. */
            value = value < -limit ? -limit : value;
            place[i] = value > limit ? limit : value;
        }
    }
}

/* Floats to a place of any alignment, past the caches where the processor can. */
static void stream(const float *source, float *place, Py_ssize_t count)
{
    Py_ssize_t i = 0;
#ifdef __SSE2__
    if ((size_t)place % 16 == 0) {
        for (; i + 16 <= count; i += 16) {
            _mm_stream_ps(place + i, _mm_loadu_ps(source + i));
            _mm_stream_ps(place + i + 4, _mm_loadu_ps(source + i + 4));
            _mm_stream_ps(place + i + 8, _mm_loadu_ps(source + i + 8));
            _mm_stream_ps(place + i + 12, _mm_loadu_ps(source + i + 12));
        }
    }
#endif
    memcpy(place + i, source + i, (size_t)(count - i) * sizeof(float));
}

/* What streams has written is there for other threads. */
static void finish_stream(void)
{
#ifdef __SSE2__
    _mm_sfence();
#endif
}

static void scale_streamed(const float *source, float *place, Py_ssize_t rows, const float *centre,
                           const float *divisor, Py_ssize_t channels, float limit)
{
    float chunk[CHUNK];
    Py_ssize_t most = CHUNK / channels;
    for (Py_ssize_t row = 0; row < rows; row += most) {
        Py_ssize_t count = rows - row < most ? rows - row : most;
        scale(source + row * channels, chunk, count, centre, divisor, channels, limit);
        stream(chunk, place + row * channels, count * channels);
    }
    finish_stream();
}

static PyObject *write_plain(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer source, place;
    if (!PyArg_ParseTuple(arguments, "y*w*", &source, &place))
        return NULL;
    int fits = source.len == place.len && source.len % sizeof(float) == 0;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        stream(source.buf, place.buf, source.len / (Py_ssize_t)sizeof(float));
        finish_stream();
        Py_END_ALLOW_THREADS
    } else {
        PyErr_SetString(PyExc_ValueError, "buffers of sizes that do not fit each other");
    }
    PyBuffer_Release(&source);
    PyBuffer_Release(&place);
    if (!fits)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *write_scaled(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer source, place, centre, divisor;
    float limit;
    int streams;
    if (!PyArg_ParseTuple(arguments, "y*w*y*y*fp", &source, &place, &centre, &divisor, &limit, &streams))
        return NULL;
    int fits = centre.len > 0 && centre.len == divisor.len && source.len == place.len &&
               source.len % centre.len == 0 && centre.len % sizeof(float) == 0;
    if (fits) {
        Py_ssize_t channels = centre.len / (Py_ssize_t)sizeof(float), rows = source.len / centre.len;
        Py_BEGIN_ALLOW_THREADS
        if (streams && channels <= CHUNK)
            scale_streamed(source.buf, place.buf, rows, centre.buf, divisor.buf, channels, limit);
        else
            scale(source.buf, place.buf, rows, centre.buf, divisor.buf, channels, limit);
        Py_END_ALLOW_THREADS
    } else {
        PyErr_SetString(PyExc_ValueError, "buffers of sizes that do not fit each other");
    }
    PyBuffer_Release(&source);
    PyBuffer_Release(&place);
    PyBuffer_Release(&centre);
    PyBuffer_Release(&divisor);
    if (!fits)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"write_plain", write_plain, METH_VARARGS,
     "write_plain(source, place)\n\n"
     "Write source to place past the caches: (T, C) float32."},
    {"write_scaled", write_scaled, METH_VARARGS,
     "write_scaled(source, place, centre, scale, limit, streams)\n\n"
     "Write clamp((source - centre) / scale, -limit, limit) to place, past the caches if it streams:\n"
     "(T, C) and (C,) float32."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_windows",
    .m_doc = "Copies of windows, scaled on the way or not.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__windows(void)
{
    return PyModule_Create(&definition);
}
