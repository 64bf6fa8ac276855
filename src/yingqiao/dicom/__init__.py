"""The DICOM edge: upper layer, storage SCP, instance index, character sets."""
