/* clamp((x - centre) / scale) in one pass, while a window is copied.

   Three passes of a vector library take more than three times as long: each reads the window again. Subtraction,
   division and comparison are exact, so the numbers are those of the passes, to the bit. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

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

static PyObject *write_scaled(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer source, place, centre, divisor;
    float limit;
    if (!PyArg_ParseTuple(arguments, "y*w*y*y*f", &source, &place, &centre, &divisor, &limit))
        return NULL;
    int fits = centre.len > 0 && centre.len == divisor.len && source.len == place.len &&
               source.len % centre.len == 0 && centre.len % sizeof(float) == 0;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        scale(source.buf, place.buf, source.len / centre.len, centre.buf, divisor.buf,
              centre.len / (Py_ssize_t)sizeof(float), limit);
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
    {"write_scaled", write_scaled, METH_VARARGS,
     "write_scaled(source, place, centre, scale, limit)\n\n"
     "Write clamp((source - centre) / scale, -limit, limit) to place: (T, C) and (C,) float32."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_scaling",
    .m_doc = "Scaling of a window while it is copied.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__scaling(void)
{
    return PyModule_Create(&definition);
}
