/* The Python module `_C`: an empty shell. Importing it registers the operators with torch's dispatcher. */
#include <Python.h>

/* In operators.cpp. Returns NULL, or the text of what went wrong. */
const char* rsmoe_register_operators(void);

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_C", "Registers the operators torch.ops.rsmoe.", 0, NULL, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__C(void) {
  const char* error = rsmoe_register_operators();
  if (error) {
    PyErr_SetString(PyExc_ImportError, error);
    return NULL;
  }
  return PyModule_Create(&definition);
}
